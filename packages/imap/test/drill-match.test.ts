import { describe, expect, it } from "vitest";
import { strangersAmong, wrongIn } from "../src/drill-match.js";
import type { StoredMessage } from "../src/restore-messages.js";

const one = { digest: "a", seconds: 1000, flags: ["\\Seen", "Junk"] };

describe("wrongIn", () => {
  it("finds nothing wrong in what came back, whatever the order and the case of its flags", () => {
    const other = { ...one, digest: "b" };
    const flags = ["junk", "\\Recent", "\\SEEN"];
    expect(wrongIn([one, other], [{ ...other, flags }, one])).toEqual([undefined, undefined]);
  });

  it("tells what is wrong: bytes, date, flags, or all of it is missing", () => {
    const [wrong] = wrongIn([one], [{ ...one, digest: "x" }]);
    expect(wrong).toContain("other bytes");
    expect(wrongIn([one], [{ ...one, seconds: 2000 }])).toEqual([
      "came back with the date 1970-01-01T00:33:20.000Z, and has 1970-01-01T00:16:40.000Z",
    ]);
    expect(wrongIn([one], [{ ...one, flags: [] }])).toEqual(["came back with the flags (none), and has \\Seen Junk"]);
    expect(wrongIn([one], [])).toEqual(["did not come back from the server"]);
  });

  it("takes of equal messages each for one, and the most alike for it", () => {
    const unseen = { ...one, flags: [] };
    expect(wrongIn([one, unseen], [unseen, one])).toEqual([undefined, undefined]);
    expect(wrongIn([one, one], [one])).toEqual([undefined, "did not come back from the server"]);
  });
});

describe("strangersAmong", () => {
  const message = (seconds: number, size: number): StoredMessage => {
    const file = { path: "INBOX/cur/x", size, mtime: 0 };
    return { file, digest: "", size, seconds, flags: [], keywords: [] };
  };
  const row = (uid: number, seconds: number, size: number) => ({ uid, size, internalDate: new Date(seconds * 1000) });

  it("knows ours by their dates, and by their sizes where the server has other dates", () => {
    const ours = [message(1, 10), message(2, 20)];
    expect(strangersAmong([row(7, 1, 10), row(8, 2, 25)], ours)).toEqual([]);
    expect(strangersAmong([row(7, 99, 20)], ours)).toEqual([]);
  });

  it("finds what is none of ours, and one more than there are", () => {
    const ours = [message(1, 10)];
    expect(strangersAmong([row(7, 1, 10), row(8, 1, 10)], ours)).toEqual([8]);
    expect(strangersAmong([row(7, 3, 30), { uid: 9 }], ours)).toEqual([7, 9]);
  });
});
