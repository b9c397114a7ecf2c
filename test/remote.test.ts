import { existsSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillAccount, loginOf, readServer } from "./support/account.js";
import { type Appender, openAppender } from "./support/appender.js";
import { type Result, eventsOf, reportOf, runBackup } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import { makeFolder, makeMessage, startFakeImap } from "./support/fake-imap.js";
import { modelTree } from "./support/fake-mirror.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import { folderOf } from "./support/oracle.js";
import {
  REMOTE,
  type RemoteHost,
  type RemoteKind,
  exposed,
  incompressible,
  leftovers,
  openRemote,
  remoteFiles,
  runRemote,
  startRemote,
} from "./support/remote.js";
import { expectedTree, readTree } from "./support/tree.js";

const MIB = 1024 * 1024;
const KINDS: readonly RemoteKind[] = Object.values(REMOTE);
/** One of each kind of store; the others differ in how they get there. */
const STORES: readonly RemoteKind[] = [REMOTE.rsync, REMOTE.sftp, REMOTE.rrsync];

let server: MailServer;
beforeAll(async () => {
  server = await startDovecot({
    users: Object.fromEntries(Object.keys(REMOTE).map((user) => [user.toLowerCase(), "secret"])),
  });
});
afterAll(async () => await server?.stop());

describe.each(Object.entries<RemoteKind>(REMOTE))("%s", (key, kind) => {
  const { renames } = kind;
  // Dovecot makes them small.
  const user = key.toLowerCase();
  let host: RemoteHost;
  beforeAll(async () => {
    [host] = await Promise.all([openRemote(kind), fillAccount(server, { user, messages: 40 })]);
  });
  afterAll(async () => await host?.[Symbol.asyncDispose]());

  const mirror = (name: string, ...more: string[]) => runRemote({ host, server, user, name, more });
  const change = async (task: (appender: Appender) => Promise<unknown>): Promise<void> => {
    await using appender = await openAppender(loginOf(server, user));
    await task(appender);
  };
  /** The destination is the account, and there is nothing that is neither. */
  const expectMirrored = async (name: string): Promise<void> => {
    expect(await readTree(host.at(name))).toEqual(expectedTree(await readServer(server, user)));
    expect(await leftovers(host, name)).toEqual([]);
  };
  /** What a run says of itself; fails if it is not simply done. */
  const done = (result: Result) => {
    const resent = renames ? [] : ["MOVES_ARE_RESENT"];
    const codes = eventsOf(result).flatMap((event) => (event.type === "warning" ? [event.code] : []));
    expect(codes.filter((code) => !resent.includes(code))).toEqual([]);
    expect(result).toMatchObject({ code: 0, signal: null });
    return reportOf(result);
  };

  it("gets the account byte for byte, with flags, keywords, dates and empty folders", async () => {
    const result = await mirror("a");
    const report = done(result);
    await expectMirrored("a");
    const account = await readServer(server, user);
    const count = account.folders.reduce((sum, { messages }) => sum + messages.length, 0);
    expect(report).toMatchObject({
      result: "done",
      added: count,
      items: count,
      collections: account.folders.length,
    });
    expect(await exposed(host.at("a"))).toEqual([]);
    expect((await stat(host.at("a"))).mode & 0o777).toBe(0o700);

    const events = eventsOf(result);
    const said = events.filter((event) => event.type === "transport");
    expect(said).toEqual([
      { type: "transport", host: expect.any(String), transport: kind.transport, message: expect.stringMatching(/./) },
    ]);
    const types = events.map(({ type }) => type);
    expect(types.indexOf("transport")).toBeLessThan(types.indexOf("progress"));
  });

  it("costs nothing when nothing changed", async () => {
    const before = await remoteFiles(host.at("a"));
    const report = done(await mirror("a"));
    expect(report).toMatchObject({ added: 0, renamed: 0, removed: 0, bytes: 0 });
    expect(report.unchanged).toBe(report.collections);
    expect(await remoteFiles(host.at("a"))).toEqual(before);
  });

  it("neither loses nor loads anything when .backup is deleted", async () => {
    const before = await remoteFiles(host.at("a"));
    await rm(host.at("a/.backup"), { recursive: true });
    expect(done(await mirror("a"))).toMatchObject({ added: 0, renamed: 0, removed: 0, unchanged: 0, bytes: 0 });
    expect(await remoteFiles(host.at("a"))).toEqual(before);
    expect(await leftovers(host, "a")).toEqual([]);
  });

  it("follows new mail, flags, deletions and folders", async () => {
    const before = await remoteFiles(host.at("a"));
    await change(async (appender) => {
      await appender.setFlags("INBOX", [1], ["\\Seen", "\\Flagged", "Urgent"]);
      await appender.expunge("INBOX", [2]);
      await appender.append("Empty", makeMessages({ count: 2, seed: 2 }));
      await appender.createFolder("Archive/Fresh");
      await appender.append("Archive/Fresh", makeMessages({ count: 1, seed: 3 }));
      await appender.deleteFolder("日本語");
    });
    const report = done(await mirror("a"));
    expect(report).toMatchObject({ added: 3, renamed: 1, failed: 0 });
    expect(report.removed).toBeGreaterThan(3);
    await expectMirrored("a");
    expect(existsSync(host.at("a/日本語"))).toBe(false);
    if (!renames) return;
    // Apart from the new ones, every file is the one that was there.
    const old = new Set(before.map(({ inode }) => inode));
    const messages = (await remoteFiles(host.at("a"))).filter(({ path }) => path.includes("/cur/"));
    expect(messages.filter(({ inode }) => !old.has(inode))).toHaveLength(3);
  });

  if (!STORES.includes(kind)) return;

  it("moves and copies what is there already, and sends it no second time", async () => {
    await change(async (appender) => {
      await appender.createFolder("Big");
      await appender.append("Big", [{ bytes: incompressible(2 * MIB), date: new Date(1_700_000_000_000) }]);
    });
    const sentBy = async (...more: string[]): Promise<number> => {
      const before = host.proxy.bytes.fromClient;
      const result = await mirror("a", ...more);
      done(result);
      if (!renames && eventsOf(result).some((event) => event.type === "plan" && event.move + event.rename > 0))
        expect(result.stdout).toContain("MOVES_ARE_RESENT");
      await expectMirrored("a");
      return host.proxy.bytes.fromClient - before;
    };
    const large = async () => (await remoteFiles(host.at("a"))).filter(({ size }) => size > MIB);
    expect(await sentBy()).toBeGreaterThan(2 * MIB);
    const [first] = await large();
    expect(first?.path).toMatch(/^Big\/cur\//);

    await change(({ renameFolder }) => renameFolder("Big", "Archive/Bigger"));
    const renamed = await sentBy();
    expect((await large()).map(({ path }) => path.split("/cur/")[0])).toEqual(["Archive/Bigger"]);

    await change(async (appender) => {
      const account = await readServer(server, user);
      const [{ uid } = { uid: 0 }] = folderOf(account, "Archive/Bigger").messages;
      await appender.move("Archive/Bigger", [uid], "Sent Items");
    });
    const moved = await sentBy("--allow-deletes");
    const [now] = await large();
    expect(now?.path).toMatch(/^Sent Items\/cur\//);

    await change(async (appender) => {
      const account = await readServer(server, user);
      const uid = folderOf(account, "Sent Items").messages.find(({ size }) => size > MIB)?.uid ?? 0;
      for (const to of ["Archive/2023", "Archive/2024/Q1"]) await appender.copy("Sent Items", [uid], to);
    });
    const copied = await sentBy();
    const three = await large();
    expect(three).toHaveLength(3);
    if (!renames) return;
    expect([renamed, moved].filter((bytes) => bytes > MIB / 4)).toEqual([]);
    // From a folder that was not looked at, since it is as it was: once, for both.
    expect(copied).toBeLessThan(3 * MIB);
    expect(three.map(({ links }) => links)).toEqual([2, 2, 1]);
    expect(three[0]?.inode).toBe(three[1]?.inode);
    expect(three[2]?.inode).toBe(first?.inode);

    // The names live on by themselves: a flag of one is no flag of the other.
    await change(async (appender) => {
      const account = await readServer(server, user);
      const uidIn = (folder: string) => folderOf(account, folder).messages.find(({ size }) => size > MIB)?.uid ?? 0;
      await appender.setFlags("Archive/2023", [uidIn("Archive/2023")], ["\\Answered"]);
      await appender.expunge("Sent Items", [uidIn("Sent Items")]);
    });
    expect(await sentBy()).toBeLessThan(MIB / 4);
    expect((await large()).map(({ inode, links }) => ({ inode, links }))).toEqual([
      { inode: three[0]?.inode, links: 2 },
      { inode: three[0]?.inode, links: 2 },
    ]);
  }, 600_000);

  it("writes nothing in a dry run, and keeps what was deleted when asked to", async () => {
    await change(async (appender) => {
      await appender.append("INBOX", makeMessages({ count: 1, seed: 4, maxBytes: 2000 }));
      await appender.expunge("INBOX", [3]);
    });
    const before = await remoteFiles(host.at("a"));
    expect(done(await mirror("a", "--dry-run"))).toMatchObject({ dryRun: true, added: 1, removed: 1 });
    expect(done(await mirror("fresh", "--dry-run")).added).toBeGreaterThan(40);
    expect(existsSync(host.at("fresh"))).toBe(false);
    expect(await remoteFiles(host.at("a"))).toEqual(before);
    expect(await leftovers(host, "a")).toEqual([]);

    for (const run of [1, 2])
      expect(done(await mirror("a", "--keep-deleted")), `run ${run}`).toMatchObject({ removed: 0, kept: 1 });
    const [inbox] = (await readTree(host.at("a"))).filter(({ directory }) => directory === "INBOX");
    expect(inbox?.messages.map(({ uid }) => uid)).toContain(3);
    expect(done(await mirror("a"))).toMatchObject({ added: 0, removed: 1, kept: 0 });
    await expectMirrored("a");
  }, 600_000);

  it("takes any name of a directory for what it is", async () => {
    const name = `-rf it's a "name" $(touch x) \`touch y\` ; * ~ %41 \\ # ünï 日本語/-o deep`;
    const result = await mirror(name, "--folder", "INBOX", "--folder", "Archive/2023");
    expect(done(result).collections).toBe(2);
    const account = await readServer(server, user);
    const folders = account.folders.filter(({ name: folder }) => ["INBOX", "Archive/2023"].includes(folder));
    expect(await readTree(host.at(name))).toEqual(
      expectedTree({ folders }).concat({ directory: "Archive", uidvalidities: [], messages: [] }).slice(0, 2),
    );
    expect(await leftovers(host, name)).toEqual([]);
    expect((await readdir(host.sshd.path)).toSorted()).toEqual([name.split("/")[0], "a"]);
    const again = done(await mirror(name, "--folder", "INBOX", "--folder", "Archive/2023"));
    expect(again.unchanged).toBe(2);
  });
});

describe("what is on its way", () => {
  it.each([REMOTE.rsync, REMOTE.rrsync, REMOTE.withoutRsyncThere] as const)(
    "is held in a spool of a limited size: $name",
    async (kind) => {
      await using host = await openRemote(kind);
      const sizes = [3, 30, 9, 100, 20, 15, 12, 25, 1, 30];
      const folders = new Map([
        ["INBOX", makeFolder(sizes.map((mib, index) => makeMessage(index + 1, { bytes: incompressible(mib * MIB) })))],
      ]);
      await using fake = await startFakeImap({ folders });
      const mail = { ...fake, tlsPort: fake.tlsPort, caFile: fake.caFile, users: { alice: "secret" } };
      const spool = join(host.directory, "spool");
      const { child, result } = await startRemote({ host, server: mail, name: "a", more: ["--spool", spool] });
      const ended = result.then(() => true);
      let most = 0;
      while (!(await Promise.race([ended, new Promise<false>((resolve) => setTimeout(resolve, 10, false))])))
        most = Math.max(most, await bytesBelow(spool));
      expect(child.exitCode, (await result).stderr).toBe(0);
      expect(await readTree(host.at("a"))).toEqual(modelTree(folders));
      // Two batches of half its size, or what alone is larger where nothing else can take it, and one more body.
      const one = kind.transport === "rsync" && !kind.renames ? 100 : 32;
      expect(most).toBeLessThanOrEqual((64 + one) * MIB * 1.5);
      expect(await leftovers(host, "a")).toEqual([]);
      expect(await readdir(spool)).toEqual([]);
    },
    180_000,
  );
});

async function bytesBelow(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = entries.map(async (entry) => {
    if (!entry.isFile()) return 0;
    return (await stat(join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }))).size;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

describe("check-destination", () => {
  it.each(KINDS)("says what $name can do, and writes nothing that stays", async (kind) => {
    await using host = await openRemote(kind);
    const result = await runBackup(["check-destination", host.destination("a"), ...host.options], host.env);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toMatch(kind.transport === "rsync" ? /rsync/ : /SFTP/);
    expect(await readdir(host.temporary)).toEqual([]);
    expect(await remoteFiles(host.sshd.path)).toEqual([]);
  });
});
