import { Secret } from "@backup/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BARE_CAPABILITIES, type FakeImap, makeFolder, startFakeImap } from "../../../test/support/fake-imap.js";
import { type FolderFilter, type FolderList, folderMatcher, listFolders } from "../src/list-folders.js";
import { ImapSession } from "../src/session.js";

const NAMES = [
  "INBOX",
  "INBOX/Sub",
  "Archive",
  "Archive/2023",
  "Archive/2024/Q1",
  "Entwürfe & Co",
  "日本語",
  ".hidden",
  "[Gmail]/All Mail",
  "Sent (old)",
  "!important",
  "Q1",
];

function matching(filter: Partial<FolderFilter>): readonly string[] {
  const matches = folderMatcher({ include: [], exclude: [], namespaces: [], ...filter });
  return NAMES.filter((name) => matches(name.split("/")));
}

describe("a folder filter", () => {
  it("takes all without a pattern", () => {
    expect(matching({})).toEqual(NAMES);
  });

  it.each([
    ["INBOX", ["INBOX"]],
    ["INBOX/*", ["INBOX/Sub"]],
    ["INBOX/**", ["INBOX", "INBOX/Sub"]],
    ["Archive/*", ["Archive/2023"]],
    ["Archive/**", ["Archive", "Archive/2023", "Archive/2024/Q1"]],
    ["**/Q1", ["Archive/2024/Q1", "Q1"]],
    ["Archive/20??", ["Archive/2023"]],
    ["{INBOX,Archive}", ["INBOX", "Archive"]],
    ["Ent*", ["Entwürfe & Co"]],
    ["日*", ["日本語"]],
    [".*", [".hidden"]],
    ["archive", []],
    ["", []],
  ] as const)("takes %j", (pattern, names) => {
    if (pattern !== "") expect(matching({ include: [pattern] })).toEqual(names);
    if (pattern !== "")
      expect(matching({ exclude: [pattern] })).toEqual(
        NAMES.filter((name) => !(names as readonly string[]).includes(name)),
      );
  });

  it("takes every folder by its name as it is written, whatever a pattern would make of it", () => {
    for (const name of NAMES) {
      expect(matching({ include: [name] })).toContain(name);
      expect(matching({ exclude: [name] })).not.toContain(name);
    }
  });

  it("takes what one pattern takes and no other leaves", () => {
    expect(matching({ include: ["INBOX", "Archive/**"], exclude: ["**/Q1", "Archive"] })).toEqual([
      "INBOX",
      "Archive/2023",
    ]);
    expect(matching({ exclude: ["**"] })).toEqual([]);
    expect(matching({ include: ["**"] })).toEqual(NAMES);
  });
});

describe("the list of folders", () => {
  let server: FakeImap;
  beforeAll(async () => {
    server = await startFakeImap({
      folders: new Map([
        ["inbox", makeFolder(2)],
        ["Archive", makeFolder(0, { attributes: ["\\Noselect"] })],
        ["Archive/2024", makeFolder(5, { uidvalidity: 7, highestmodseq: 99n })],
        ["Entw&APw-rfe", makeFolder(1)],
        ["No Modseq", { ...makeFolder(1), highestmodseq: undefined }],
        ["cur", makeFolder(1)],
        ["..", makeFolder(1)],
      ] as [string, ReturnType<typeof makeFolder>][]),
    });
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  const listed = async (filter: Partial<FolderFilter> = {}): Promise<FolderList> => {
    await using session = new ImapSession({
      server: { host: "localhost", port: server.tlsPort, security: "tls" },
      login: { user: "alice", password: new Secret("secret") },
      ca: server.ca,
    });
    return await listFolders(
      session,
      { include: [], exclude: [], namespaces: [], ...filter },
      new AbortController().signal,
    );
  };

  it("has what can be selected, decoded, with a safe directory and a fingerprint", async () => {
    const { folders, names, unmatched } = await listed();
    expect(Object.fromEntries(folders.map(({ name, path }) => [name, path]))).toEqual({
      INBOX: "INBOX",
      "Archive/2024": "Archive/2024",
      Entwürfe: "Entwürfe",
      "No Modseq": "No Modseq",
      cur: "%63ur",
      "..": "%2E%2E",
    });
    expect(names).toContain("Archive");
    expect(unmatched).toEqual([]);
    const fingerprints = new Map(folders.map(({ name, fingerprint }) => [name, fingerprint]));
    expect(fingerprints.get("Archive/2024")).toBe("7 6 99 5");
    expect(fingerprints.get("No Modseq")).toBeUndefined();
  });

  it("is the same without any extension of the server", async () => {
    const before = await listed();
    server.capabilities = [...BARE_CAPABILITIES, "CONDSTORE"];
    try {
      expect(await listed()).toEqual({ ...before, isOurs: expect.any(Function) });
    } finally {
      server.capabilities = ["IMAP4rev1", "LIST-EXTENDED", "LIST-STATUS", "CONDSTORE", "NAMESPACE"];
    }
  });

  it("gives a folder the same directory whatever is left out, and names patterns that match nothing", async () => {
    const all = await listed();
    const { folders, unmatched, names } = await listed({
      include: ["Archive/**", "Nothing", "cur"],
      exclude: ["INBOX"],
    });
    expect(folders).toEqual(all.folders.filter(({ name }) => ["Archive/2024", "cur"].includes(name)));
    expect(unmatched).toEqual(["Nothing"]);
    expect(names).toEqual(all.names);
  });

  it("leaves out a name that is too long or too deep for a path, and says so", async () => {
    const [long, deep] = ["x".repeat(3001), `${"d/".repeat(100)}d`];
    const [longest, deepest] = ["y".repeat(3000), `${"e/".repeat(99)}e`];
    for (const name of [long, deep, longest, deepest]) server.folders.set(name, makeFolder(1));
    try {
      const { names, unavailable } = await listed();
      expect(names).toContain(longest);
      expect(names).toContain(deepest);
      expect(names).not.toContain(long);
      expect(names).not.toContain(deep);
      expect(unavailable.map(({ error }) => error.code)).toEqual(["COLLECTION_UNAVAILABLE", "COLLECTION_UNAVAILABLE"]);
      expect(unavailable.map(({ error }) => error.message).toSorted()).toEqual([
        expect.stringContaining("101 parts"),
        expect.stringContaining("3001 characters"),
      ]);
    } finally {
      for (const name of [long, deep, longest, deepest]) server.folders.delete(name);
    }
  });
});
