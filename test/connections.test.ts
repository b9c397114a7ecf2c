import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loginOf, readServer } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { reportOf, runBackup, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import { makeFolder, makeMessage, startFakeImap } from "./support/fake-imap.js";
import { mirrorFake, modelTree } from "./support/fake-mirror.js";
import { makeMessages } from "./support/messages.js";
import { startProxy } from "./support/proxy.js";
import { temporaryDirectory } from "./support/temporary-directory.js";
import { expectedTree, readTree } from "./support/tree.js";

/** Some folders with messages large enough for several connections. */
function largeFolders() {
  const messages = (first: number) =>
    Array.from({ length: 30 }, (_, index) =>
      makeMessage(first + index, { bytes: Buffer.alloc(200_000, `${index}\n`) }),
    );
  return new Map(["INBOX", "A", "B", "C", "D"].map((name, at) => [name, makeFolder(messages(at + 1))]));
}

describe("several connections", () => {
  it("are opened when there is enough to read, as many as are allowed", async () => {
    await using directory = await temporaryDirectory();
    for (const [connections, expected] of [
      [1, 1],
      [3, 3],
      [undefined, 4],
    ] as const) {
      const folders = largeFolders();
      await using server = await startFakeImap({ folders });
      const destination = join(directory.path, String(connections));
      expect(await mirrorFake(server, destination, connections ? { connections } : {})).toMatchObject({
        exit: 0,
      });
      expect(server.connections).toBe(expected);
      expect(await readTree(destination)).toEqual(modelTree(folders));
    }
  });

  it("each have a command under way while the answer to the one before is read", async () => {
    await using directory = await temporaryDirectory();
    const folders = new Map(["INBOX", "A", "B", "C"].map((name) => [name, makeFolder(3)]));
    await using server = await startFakeImap({ folders });
    const read: string[] = [];
    server.fault = async ({ command, args, folder = "", count, upcoming }) => {
      // Answered when the next one is here: it never comes to one that waits.
      if (command === "EXAMINE" && count <= folders.size) expect(await upcoming()).toMatch(/ UID FETCH /);
      if (command !== "UID FETCH" || !args.includes("BODY")) return undefined;
      read.push(folder);
      if (read.length < folders.size) expect(await upcoming()).toMatch(/ EXAMINE /);
      return undefined;
    };
    const destination = join(directory.path, "dest");
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, failed: [] });
    expect(new Set(read)).toEqual(new Set(folders.keys()));
    expect(await readTree(destination)).toEqual(modelTree(folders));
  });

  it("begin with no more round trips than it takes, and send the password with the command that asks for it", async () => {
    await using directory = await temporaryDirectory();
    await using server = await startFakeImap({ folders: new Map([["INBOX", makeFolder(3)]]) });
    const sent: string[] = [];
    server.fault = async ({ command, args, upcoming }) => {
      sent.push(`${command} ${args}`.trim().replace(/ \(.*/, ""));
      // Answered when the next one is here.
      if (command === "ID") expect(await upcoming()).toMatch(/ NAMESPACE$/);
      return undefined;
    };
    expect(await mirrorFake(server, join(directory.path, "dest"))).toMatchObject({ exit: 0, failed: [] });
    const initial = Buffer.from("\0alice\0secret").toString("base64");
    const first = ["GREETING", `AUTHENTICATE PLAIN ${initial}`, "ID", "NAMESPACE", 'LIST "" "*" RETURN'];
    expect(sent.slice(0, first.length)).toEqual(first);
    expect(sent.slice(first.length).filter((line) => /^(?:LSUB|ID|LIST|CAPABILITY)/.test(line))).toEqual([]);
  });

  it("list folders without waiting for the one before", async () => {
    await using directory = await temporaryDirectory();
    const names = ["INBOX", "A", "B", "C"];
    const folders = new Map(names.map((name) => [name, makeFolder(3)]));
    await using server = await startFakeImap({ folders });
    const opened: string[] = [];
    let isListed = false;
    server.fault = async ({ command, args, folder = "", upcoming }) => {
      if (command === "EXAMINE") opened.push(folder);
      if (command !== "UID FETCH" || args.includes("BODY") || isListed) return undefined;
      // The last of them has nothing behind it.
      isListed = opened.length === folders.size;
      if (!isListed) expect(await upcoming()).toMatch(/ EXAMINE /);
      return undefined;
    };
    const destination = join(directory.path, "dest");
    expect(await mirrorFake(server, destination, { connections: 1 })).toMatchObject({ exit: 0, failed: [] });
    expect(isListed).toBe(true);
    expect(new Set(opened.slice(0, names.length))).toEqual(new Set(names));
    expect(await readTree(destination)).toEqual(modelTree(folders));
  });

  it("have the next part of a large message under way while one comes", async () => {
    await using directory = await temporaryDirectory();
    const large = makeMessage(2, { bytes: Buffer.alloc(11_000_000, "0123456789abcde\n") });
    const folders = new Map([["INBOX", makeFolder([makeMessage(1), large, makeMessage(3)])]]);
    await using server = await startFakeImap({ folders });
    const parts: string[] = [];
    server.fault = async ({ command, args, upcoming }) => {
      const part = /<(\d+)\.\d+>/.exec(args)?.[1];
      if (command !== "UID FETCH" || part === undefined) return undefined;
      parts.push(part);
      if (parts.length < 3) expect(await upcoming()).toMatch(/ UID FETCH 2 .*BODY\.PEEK\[\]</);
      return undefined;
    };
    const destination = join(directory.path, "dest");
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, failed: [] });
    expect(parts).toEqual(["0", "4194304", "8388608"]);
    expect(await readTree(destination)).toEqual(modelTree(folders));
  });

  it("ask for no part ahead where a server sends the whole message instead", async () => {
    await using directory = await temporaryDirectory();
    const bytes = Buffer.alloc(5_000_000, "0123456789abcde\n");
    const messages = [1, 2, 3].map((uid) => makeMessage(uid, { bytes, odd: [{ type: "whole" }] }));
    const folders = new Map([["INBOX", makeFolder(messages)]]);
    await using server = await startFakeImap({ folders });
    const asked: string[] = [];
    server.fault = ({ command, args }) => {
      const [, uid, start] = /^(\d+) .*BODY\.PEEK\[\]<(\d+)\./.exec(args) ?? [];
      if (command === "UID FETCH" && uid !== undefined && start !== undefined) asked.push(`${uid} ${start}`);
      return undefined;
    };
    const destination = join(directory.path, "dest");
    expect(await mirrorFake(server, destination, { connections: 1 })).toMatchObject({ exit: 0, failed: [] });
    expect(asked).toEqual(["1 0", "1 4194304", "2 0", "3 0"]);
    expect(await readTree(destination)).toEqual(modelTree(folders));
  });

  it("read what can be read of the folder after one that is gone, and store nothing under a wrong name", async () => {
    await using directory = await temporaryDirectory();
    const folders = new Map(["INBOX", "A", "B", "C"].map((name, at) => [name, makeFolder(3 + at)]));
    await using server = await startFakeImap({ folders });
    const opened = new Set<string>();
    server.fault = ({ command, folder = "" }) => {
      if (command !== "EXAMINE") return undefined;
      const isListed = opened.has(folder);
      opened.add(folder);
      return isListed && folder === "B" ? { type: "no", text: "[NONEXISTENT] it is gone" } : undefined;
    };
    const destination = join(directory.path, "dest");
    const result = await mirrorFake(server, destination);
    expect(result).toMatchObject({ exit: 3 });
    expect(result.failed.length).toBeGreaterThan(0);
    expect(result.failed.every((name) => name.startsWith("B"))).toBe(true);
    const isKept = (folder: { readonly directory: string }): boolean => folder.directory !== "B";
    const tree = await readTree(destination);
    expect(tree.filter(isKept)).toEqual(modelTree(folders).filter(isKept));
    expect(tree.find((folder) => folder.directory === "B")?.messages ?? []).toEqual([]);
  });

  it("are not opened for little", async () => {
    await using directory = await temporaryDirectory();
    const folders = new Map(["INBOX", "A", "B"].map((name) => [name, makeFolder(5)]));
    await using server = await startFakeImap({ folders });
    expect(await mirrorFake(server, join(directory.path, "dest"))).toMatchObject({ exit: 0 });
    expect(server.connections).toBe(1);
  });

  it.each([
    [
      "refused at the login",
      (connection: number) => connection > 2,
      "AUTHENTICATE",
      { type: "no", text: "[LIMIT] too many connections" },
    ],
    ["ended with BYE", (connection: number) => connection > 1, "AUTHENTICATE", { type: "bye", text: "Server Busy" }],
    ["cut when they open a folder", (connection: number) => connection > 1, "EXAMINE", { type: "cut" }],
    ["cut when they read", (connection: number) => connection > 1, "UID FETCH", { type: "cut", rows: 3 }],
  ] as const)("that are %s cost nothing: the others do the work", async (_name, isBad, at, fault) => {
    await using directory = await temporaryDirectory();
    const folders = largeFolders();
    await using server = await startFakeImap({ folders });
    server.fault = ({ command, connection }) => (command === at && isBad(connection) ? fault : undefined);
    const destination = join(directory.path, "dest");
    const result = await mirrorFake(server, destination);
    expect(result).toMatchObject({ exit: 0, failed: [] });
    expect(await readTree(destination)).toEqual(modelTree(folders));
  });

  it("end with the run when the password is refused in its middle", async () => {
    await using directory = await temporaryDirectory();
    await using server = await startFakeImap({ folders: largeFolders() });
    server.fault = ({ command, connection }) => {
      if (command === "AUTHENTICATE" && connection > 1) return { type: "no", text: "[AUTHENTICATIONFAILED] no" };
      return command === "UID FETCH" && connection === 1 ? { type: "cut", rows: 35 } : undefined;
    };
    const result = await mirrorFake(server, join(directory.path, "dest"), { reconnects: 1 });
    expect(result).toMatchObject({ exit: 1, code: "AUTH_FAILED" });
    expect(server.openConnections).toBe(0);
  });

  it("to a real server that allows two are two, and a distance is bridged by them", async () => {
    await using server = await startDovecot({ connectionLimit: 2 });
    await using directory = await temporaryDirectory();
    {
      await using appender = await openAppender(loginOf(server));
      for (const [seed, name] of ["A", "B", "C"].entries()) {
        await appender.createFolder(name);
        await appender.append(name, makeMessages({ count: 30, seed: seed + 1, minBytes: 20_000 }));
      }
    }
    await using proxy = await startProxy({ target: server.tlsPort, latencyMs: 5 });
    const secret = await writeSecret(directory.path, "alice.password", "secret");
    const destination = join(directory.path, "dest");
    const args = ["imap", "alice", destination, `imaps://localhost:${proxy.port}`];
    const result = await runBackup([...args, "--srcsecret", secret, "--tls-ca", server.caFile, "--json"]);
    expect(result).toExit(0);
    expect(reportOf(result)).toMatchObject({ added: 90, failed: 0 });
    expect(proxy.connections).toBeGreaterThan(2);
    expect(await readTree(destination)).toEqual(expectedTree(await readServer(server)));
  });
});
