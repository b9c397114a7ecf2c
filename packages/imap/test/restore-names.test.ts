import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tamerName, targetNames } from "../src/restore-names.js";

const SLASH = { prefix: "", delimiter: "/" };
const DOT = { prefix: "", delimiter: "." };
const COURIER = { prefix: "INBOX.", delimiter: "." };
const NOTHING = { below: [], existing: [] };

const names = (
  folders: readonly string[][],
  target = SLASH,
  options: Partial<Parameters<typeof targetNames>[2]> = {},
) => targetNames(folders, target, { ...NOTHING, ...options }).map(({ mailbox }) => mailbox);

describe("a folder's name at a target", () => {
  it("has the target's delimiter between its parts, and INBOX is INBOX", () => {
    const folders = [["INBOX"], ["Archive", "2024"], ["INBOX", "sub"]];
    expect(names(folders)).toEqual(["INBOX", "Archive/2024", "INBOX/sub"]);
    expect(names(folders, DOT)).toEqual(["INBOX", "Archive.2024", "INBOX.sub"]);
  });

  it("is below the target's prefix, once", () => {
    expect(names([["INBOX"], ["Archive", "2024"]], COURIER)).toEqual(["INBOX", "INBOX.Archive.2024"]);
    expect(names([["INBOX"], ["INBOX", "Archive"]], COURIER)).toEqual(["INBOX", "INBOX.Archive"]);
  });

  it("loses INBOX where all of the backup is below it, unless the target has such folders", () => {
    const folders = [["INBOX"], ["INBOX", "Sent"], ["INBOX", "Archive", "2024"]];
    expect(names(folders, DOT)).toEqual(["INBOX", "Sent", "Archive.2024"]);
    expect(names(folders, DOT, { existing: ["INBOX", "INBOX.x"] })).toEqual([
      "INBOX",
      "INBOX.Sent",
      "INBOX.Archive.2024",
    ]);
    expect(names([["INBOX"]], DOT)).toEqual(["INBOX"]);
  });

  it("is put below another folder, INBOX too", () => {
    const below = ["Restored", "2024"];
    expect(names([["INBOX"], ["Sent"]], DOT, { below })).toEqual(["Restored.2024.INBOX", "Restored.2024.Sent"]);
    expect(names([["INBOX"], ["Sent"]], COURIER, { below: ["Back"] })).toEqual(["INBOX.Back.INBOX", "INBOX.Back.Sent"]);
  });

  it("has another character for a delimiter in it, and is no other folder's name", () => {
    const folders = [["a.b"], ["a_b"], ["a", "b"], ["", "x"]];
    expect(names(folders, DOT)).toEqual(["a_b_", "a_b", "a.b", "_.x"]);
    expect(names(folders)).toEqual(["a.b", "a_b", "a/b", "_/x"]);
    const flat = { prefix: "", delimiter: null };
    expect(targetNames([["a", "b"]], flat, NOTHING)).toEqual([{ mailbox: "a_b", isChanged: true }]);
  });

  it("has no character that would end a command", () => {
    expect(names([["a\r\nb\0\ud800"]])).toEqual(["a__b__"]);
  });

  it("is longer where another folder has it already", () => {
    expect(targetNames([["INBOX", "A"], ["A"], ["A_"]], COURIER, NOTHING)).toEqual([
      { mailbox: "INBOX.A", isChanged: false },
      { mailbox: "INBOX.A__", isChanged: true },
      { mailbox: "INBOX.A_", isChanged: false },
    ]);
  });

  it("is that of INBOX in no other case", () => {
    expect(names([["inbox"], ["INBOX"], ["inbox", "a"], ["INBOX", "a"]])).toEqual([
      "inbox_",
      "INBOX",
      "inbox/a",
      "INBOX/a_",
    ]);
    expect(names([["INBOX", "INBOX"], ["INBOX"]], DOT)).toEqual(["INBOX_", "INBOX"]);
  });

  it("is never that of two folders, whatever they and the target's are called", () => {
    const part = fc.oneof(fc.stringMatching(/^[ab._/]{0,4}$/), fc.constantFrom("INBOX", "Inbox", "INBOX_"));
    const folders = fc.uniqueArray(fc.array(part, { minLength: 1, maxLength: 3 }), {
      selector: (parts) => parts.join("\0"),
    });
    const target = fc
      .tuple(fc.constantFrom("", "INBOX", "Inbox", "a"), fc.constantFrom("/", ".", null))
      .map(([root, delimiter]) => ({ prefix: root === "" ? "" : root + (delimiter ?? ""), delimiter }));
    const options = fc.record({
      below: fc.constantFrom([], ["INBOX"], ["b", "a"]),
      existing: fc.constantFrom([], ["INBOX.x", "INBOX/x"]),
    });
    fc.assert(
      fc.property(folders, target, options, (all, { prefix, delimiter }, { below, existing }) => {
        const made = targetNames(all, { prefix, delimiter }, { below, existing }).map(({ mailbox }) => mailbox);
        const inbox = new RegExp(`^inbox(?=[${delimiter ?? ""}]|$)`, "i");
        expect(new Set(made.map((name) => name.replace(inbox, "INBOX"))).size).toBe(all.length);
        const own = all.findIndex((parts) => parts.join("\0") === "INBOX");
        if (own >= 0 && below.length === 0) expect(made[own]).toBe("INBOX");
      }),
      { numRuns: 1000 },
    );
  });

  it("can be made tamer for a server that refuses it", () => {
    expect(tamerName("~a/b.c%d*/e", "/")).toBe("_a/b_c_d_/e");
    expect(tamerName("a.b", ".")).toBeUndefined();
    expect(tamerName("Entwürfe & Co", "/")).toBeUndefined();
  });
});
