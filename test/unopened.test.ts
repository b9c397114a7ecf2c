import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type FakeImap, type Folder, makeFolder, makeMessage, startFakeImap } from "./support/fake-imap.js";
import { mirrorFake, modelTree } from "./support/fake-mirror.js";
import { temporaryDirectory } from "./support/temporary-directory.js";
import { readTree } from "./support/tree.js";

/** INBOX and a folder, each with messages of its own. */
function twoFolders(): Map<string, Folder> {
  const messages = (first: number) => [0, 1, 2, 3].map((index) => makeMessage(first + index));
  return new Map([
    ["INBOX", makeFolder(messages(1))],
    ["Other", makeFolder(messages(11))],
  ]);
}

describe("a folder that cannot be opened", () => {
  it.each([
    "[NOPERM] no right to read it",
    "[SERVERBUG] internal error",
    "[CONTACTADMIN] broken",
    "[NONEXISTENT] no such mailbox",
    "Mailbox is being moved",
  ])("is reported, and the others arrive; what was copied of it stays: NO %s", async (text) => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const folders = twoFolders();
    await using server = await startFakeImap({ folders });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
    for (const folder of folders.values()) Object.assign(folder, { highestmodseq: 2, uidnext: folder.uidnext + 1 });
    folders.get("INBOX")?.messages.push(makeMessage(5, { modseq: 2 }));
    server.fault = ({ command, folder }) =>
      command === "EXAMINE" && folder === "Other" ? { type: "no", text } : undefined;
    const result = await mirrorFake(server, destination);
    expect(result).toMatchObject({ exit: 3, failed: ["Other"], report: { added: 1, removed: 0 } });
    expect(result.said[0]).toMatch(/^folder Other cannot be opened: /);
    expect(await readTree(destination)).toEqual(modelTree(folders));
  });

  it.each(["\\NonExistent", "\\nonexistent", "\\NoSelect"])(
    "since it is none (%s) is no failure",
    async (attribute) => {
      await using directory = await temporaryDirectory();
      const folders = twoFolders().set("Gone", makeFolder(0, { attributes: [attribute] }));
      await using server = await startFakeImap({ folders });
      const destination = join(directory.path, "dest");
      expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, failed: [], report: { collections: 2 } });
      folders.delete("Gone");
      expect(await readTree(destination)).toEqual(modelTree(folders));
    },
  );

  it.each([
    ["deleted", (folders: Map<string, Folder>) => void folders.delete("Other")],
    [
      "renamed",
      (folders: Map<string, Folder>) => {
        folders.set("Another", folders.get("Other") ?? makeFolder());
        folders.delete("Other");
      },
    ],
  ])("since it was %s after the LIST is reported, and the next run is right", async (_name, change) => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const folders = twoFolders();
    await using server = await startFakeImap({ folders });
    server.fault = ({ command, folder }) => {
      if (command === "EXAMINE" && folder === "Other" && folders.has("Other")) change(folders);
      return undefined;
    };
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 3, failed: ["Other"], report: { added: 4 } });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, failed: [] });
    expect(await readTree(destination)).toEqual(modelTree(folders));
  });
});

describe("a folder that changes while its messages are fetched", () => {
  const onBodies = (server: FakeImap, task: () => readonly string[]): void => {
    let struck = 0;
    server.fault = ({ command, args }) =>
      command === "UID FETCH" && args.includes("BODY") && struck++ === 0
        ? { type: "untagged", lines: task() }
        : undefined;
  };

  it("by an EXPUNGE loses no other message, and the next run is right", async () => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const folders = new Map([["INBOX", makeFolder(6)]]);
    await using server = await startFakeImap({ folders });
    onBodies(server, () => {
      folders.get("INBOX")?.messages.splice(1, 1);
      Object.assign(folders.get("INBOX") ?? {}, { highestmodseq: 2 });
      return ["* 2 EXPUNGE"];
    });
    const result = await mirrorFake(server, destination);
    expect(result).toMatchObject({ exit: 0, failed: [], report: { added: 5 } });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, failed: [] });
    expect(await readTree(destination)).toEqual(modelTree(folders));
  });

  it("by new mail has it with the next run at the latest", async () => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const folders = new Map([["INBOX", makeFolder(6)]]);
    await using server = await startFakeImap({ folders });
    onBodies(server, () => {
      folders.get("INBOX")?.messages.push(makeMessage(7, { modseq: 2 }));
      Object.assign(folders.get("INBOX") ?? {}, { highestmodseq: 2, uidnext: 8 });
      return ["* 7 EXISTS", "* 1 RECENT"];
    });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, failed: [], report: { added: 6 } });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, failed: [], report: { added: 1 } });
    expect(await readTree(destination)).toEqual(modelTree(folders));
  });
});
