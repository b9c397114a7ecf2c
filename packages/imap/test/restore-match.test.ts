import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alikeOnes, indistinctOnes, isAlike, likelyOnes, matchExactly, messageIdIn } from "../src/restore-match.js";
import type { StoredMessage } from "../src/restore-messages.js";

const stored = (index: number, { size = 10, seconds = 100 } = {}): StoredMessage => ({
  file: { path: `INBOX/cur/${index}`, size, mtime: seconds * 1000 },
  digest: "",
  size,
  seconds,
  flags: [],
  keywords: [],
});

describe("what is at a target", () => {
  it("is recognised by size, time and first bytes, and each counts for one", () => {
    const kinds = fc.array(fc.record({ size: fc.nat(2), seconds: fc.nat(2), head: fc.constantFrom("a", "b") }));
    fc.assert(
      fc.property(kinds, kinds, (backup, target) => {
        const messages = backup.map((kind, index) => stored(index, kind));
        const present = target.map(({ size, seconds }, index) => ({ uid: index + 1, size, seconds }));
        const heads = new Map(backup.map(({ head }, index) => [`INBOX/cur/${index}`, Buffer.from(head)]));
        const there = new Map(target.map(({ head }, index) => [index + 1, Buffer.from(head)]));
        const here = heads;
        const { missing, others } = matchExactly(messages, present, { here, there });
        const tally = (list: readonly { size: number; seconds: number; head: string }[]) => {
          const counts = new Map<string, number>();
          for (const kind of list) counts.set(JSON.stringify(kind), (counts.get(JSON.stringify(kind)) ?? 0) + 1);
          return counts;
        };
        const [want, have] = [tally(backup), tally(target)];
        let lacking = 0;
        for (const [kind, count] of want) lacking += Math.max(0, count - (have.get(kind) ?? 0));
        expect(missing.length).toBe(lacking);
        expect(others.length).toBe(target.length - (backup.length - lacking));
        const likely = likelyOnes(messages, present);
        expect(matchExactly(likely.messages, likely.present, { here, there }).missing.length).toBeLessThanOrEqual(
          lacking,
        );
      }),
    );
  });

  it("is told apart by more than first bytes where the backup has several that look the same", () => {
    const one = { ...stored(1), digest: "a" };
    const other = { ...stored(2), digest: "b" };
    const twin = { ...stored(3), digest: "a" };
    const present = [{ uid: 7, size: 10, seconds: 100 }];
    const marks = (...messages: readonly StoredMessage[]) => ({
      here: new Map(messages.map(({ file }) => [file.path, Buffer.from("same")])),
      there: new Map([[7, Buffer.from("same")]]),
    });
    expect(indistinctOnes([one, other], present, marks(one, other))).toEqual({ messages: [one, other], present });
    expect(indistinctOnes([one, twin], present, marks(one, twin))).toEqual({ messages: [], present: [] });
  });

  it("is asked about only where size and time are those of a stored message", () => {
    const near = { uid: 1, size: 10, seconds: 100 };
    const far = { uid: 2, size: 10, seconds: 101 };
    const likely = likelyOnes([stored(1), stored(2, { size: 11 })], [near, far]);
    expect(likely.messages.map(({ file }) => file.path)).toEqual(["INBOX/cur/1"]);
    expect(likely.present).toEqual([near]);
  });

  it("may have another size at the same time, or another time for one of the future", () => {
    const others = [
      { uid: 1, size: 12, seconds: 100 },
      { uid: 2, size: 10, seconds: 50 },
    ];
    const uids = (message: StoredMessage) =>
      alikeOnes([message], others, 1000).map(({ alike }) => alike.map(({ uid }) => uid));
    expect(uids(stored(1))).toEqual([[1]]);
    expect(uids(stored(1, { seconds: 2000 }))).toEqual([[2]]);
    expect(uids(stored(1, { seconds: 60 }))).toEqual([]);
  });

  it("is the same with an equal Message-ID, or equal but for the ends of lines", () => {
    const of = (head: string, size: number, messageId?: string) => ({ head: Buffer.from(head), size, messageId });
    expect(isAlike(of("a", 1, "<x@y>"), of("b", 2, "<x@y>"))).toBe(true);
    expect(isAlike(of("a", 1, "<x@y>"), of("b", 2, "<z@y>"))).toBe(false);
    expect(isAlike(of("Subject: a\r\n", 12), of("Subject: a\r\n", 12))).toBe(true);
    expect(isAlike(of("Subject: a\r\n", 12), of("Subject: a\r\n", 13))).toBe(false);
    expect(isAlike(of("", 0), of("", 0))).toBe(false);
  });

  it("has a Message-ID in its header alone", () => {
    expect(messageIdIn(Buffer.from("Subject: a\r\nMessage-Id:  <x@y>\r\n\r\n"))).toBe("<x@y>");
    expect(messageIdIn(Buffer.from("Subject: a\n\nMessage-ID: <x@y>\n"))).toBeUndefined();
  });
});
