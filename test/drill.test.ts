import { chmod, cp, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { fillAccount, loginOf, readServer } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { type Result, eventsOf, runBackup, startBackup, writeSecret } from "./support/command.js";
import { startCyrus } from "./support/cyrus.js";
import { startDovecot } from "./support/dovecot.js";
import type { MailServer } from "./support/mail-server.js";
import { plantMessage, totalOf } from "./support/restored.js";
import { REMOTE, leftovers, openRemote, runRemote } from "./support/remote.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { flip, messagesIn } from "./support/wreck.js";

vi.setConfig({ testTimeout: 300_000 });

let server: MailServer;
let directory: TemporaryDirectory;
let secret: string;
let total: number;
beforeAll(async () => {
  server = await startDovecot();
  directory = await temporaryDirectory();
  secret = await writeSecret(directory.path, "alice.password", "secret");
  await fillAccount(server);
  total = totalOf(await readServer(server));
  const { code, stderr } = await mirror("good", "alice");
  if (code !== 0) throw new Error(`no backup: ${stderr}`);
});
afterAll(async () => {
  await server?.stop();
  await directory?.[Symbol.asyncDispose]();
});

const at = (...names: readonly string[]): string => join(directory.path, ...names);
const loginAt = ({ caFile }: MailServer): readonly string[] => ["--srcsecret", secret, "--tls-ca", caFile];
const urlOf = ({ tlsPort }: MailServer): string => `imaps://localhost:${tlsPort}`;
const mirror = (name: string, user: string) => runBackup(["imap", user, at(name), urlOf(server), ...loginAt(server)]);
const asking = (target: MailServer): readonly string[] => ["--server", urlOf(target), ...loginAt(target)];
/** With a TMPDIR that it has to leave empty. */
const drill = async (name: string, ...more: readonly string[]): Promise<Result> => {
  await using temporary = await temporaryDirectory();
  const result = await runBackup(["drill", at(name), ...more], { TMPDIR: temporary.path });
  expect(await readdir(temporary.path)).toEqual([]);
  return result;
};
const endOf = (result: Result): unknown => eventsOf(result).at(-1);
const failuresOf = (result: Result) => eventsOf(result).flatMap((event) => (event.type === "failed" ? [event] : []));
async function copy(name: string): Promise<string> {
  await cp(at("good"), at(name), { recursive: true, preserveTimestamps: true });
  return at(name);
}

describe("backup drill, to this machine", () => {
  it("says in one line that ten messages came back, leaves nothing behind and changes nothing", async () => {
    const before = await readdir(at("good"), { recursive: true });
    const result = await drill("good");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toMatch(
      new RegExp(
        `^drill: 10 of 10 messages of ${at("good")} came back byte for byte \\([\\d.]+ [kM]?B, [\\d.]+m?s\\)\n$`,
      ),
    );
    expect(await drill("good", "-q")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(await readdir(at("good"), { recursive: true })).toEqual(before);
  });

  it("brings all of them back where there are fewer than are asked for", async () => {
    const result = await drill("good", "--messages", "1000", "--json");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(endOf(result)).toMatchObject({ type: "drilled", ok: true, items: total, good: total, left: false });
  });

  it("names what is damaged, cut or gone, and ends with 3", async () => {
    const root = await copy("damaged");
    const [one = "", two = ""] = await messagesIn(root);
    await flip(join(root, one), 20);
    await writeFile(join(root, two), "x", { flag: "a" });
    const result = await drill("damaged", "--messages", "1000");
    expect(result.code).toBe(3);
    const lines = result.stderr.trimEnd().split("\n");
    expect(lines).toHaveLength(2);
    expect(lines).toContain(`FAILED: ${one} came back with other bytes than its name says`);
    expect(result.stderr).toMatch(/^FAILED: .* came back with \d+ bytes, and its name says \d+$/m);
    expect(result.stdout).toMatch(new RegExp(`^drill: ${total - 2} of ${total} messages of `));
    const json = await drill("damaged", "--messages", "1000", "--json");
    expect(failuresOf(json).map(({ item }) => item)).toEqual(expect.arrayContaining([one, two]));
    expect(endOf(json)).toMatchObject({ ok: false, items: total, good: total - 2 });
  });

  it("picks others each time", async () => {
    const root = await copy("picks");
    for (const path of await messagesIn(root)) await flip(join(root, path), 3);
    const picked = async () => failuresOf(await drill("picks", "--messages", "3", "--json")).map(({ item }) => item);
    const [first, second, third] = [await picked(), await picked(), await picked()];
    expect(first).toHaveLength(3);
    expect(new Set([...first, ...second, ...third]).size).toBeGreaterThan(3);
  });

  it("proves nothing of an empty backup, and says so with 1", async () => {
    expect(await mirror("empty", "bob")).toExit(0);
    const result = await drill("empty");
    expect(result).toMatchObject({ code: 1, stdout: "" });
    expect(result.stderr).toContain("is empty: nothing was brought back, and nothing is proven");
  });

  it("takes a snapshot of a history", async () => {
    const args = [
      "imap",
      "alice",
      at("history"),
      urlOf(server),
      ...loginAt(server),
      "--hist",
      "--histdate",
      "2026-11-01",
    ];
    expect(await runBackup(args)).toExit(0);
    const result = await drill("history", "--snapshot", "2026-11-01");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toContain("drill: 10 of 10 messages of ");
    expect(await drill("history", "--snapshot", "2026-11-02")).toExit(1);
  });

  it("refuses a number that is none, and a user without a server", async () => {
    expect(await drill("good", "--messages", "0")).toExit(2);
    const result = await drill("good", "--user", "bob");
    expect(result).toExit(2);
    expect(result.stderr).toContain("--user needs --server");
  });

  it.each([REMOTE.rsync, REMOTE.sftp, REMOTE.rrsync])("reads them from a host by $name", async (kind) => {
    await using host = await openRemote(kind);
    expect(await runRemote({ host, server, name: "mail" })).toExit(0);
    const args = ["drill", host.destination("mail"), "--messages", "1000", "--json", ...host.options];
    const result = await runBackup(args, host.env);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(endOf(result)).toMatchObject({ ok: true, items: total, good: total });
    expect(await leftovers(host, "mail")).toEqual([]);
  });
});

describe("backup drill --server", () => {
  it("brings messages back to Dovecot with flags, keywords and dates, and leaves the account as it was", async () => {
    const before = await readServer(server);
    const result = await drill("good", "--messages", "1000", ...asking(server));
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toMatch(
      new RegExp(`^drill: ${total} of ${total} messages .* with flags and dates, from a folder of alice at imaps`),
    );
    expect(result.stdout.trimEnd().split("\n")).toHaveLength(1);
    expect(await readServer(server)).toEqual(before);
    expect(await subscribedAt(server)).not.toContainEqual(expect.stringContaining("backup-drill"));
  });

  it("brings messages back to Cyrus, whose separator is a dot", async () => {
    await using target = await startCyrus({ separator: "." });
    const before = await readServer(target);
    const result = await drill("good", "--messages", "1000", "--json", ...asking(target));
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(endOf(result)).toMatchObject({ ok: true, items: total, good: total });
    expect(await readServer(target)).toEqual(before);
    expect(await subscribedAt(target)).not.toContainEqual(expect.stringContaining("backup-drill"));
  });

  it("makes the folder in the account's namespace", async () => {
    await using target = await startDovecot({
      separator: ".",
      extraConfig: "namespace inbox {\n  prefix = INBOX.\n}\n",
    });
    const result = await drill("good", "--json", ...asking(target));
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(endOf(result)).toMatchObject({ ok: true, good: 10 });
  });

  it("names a damaged message, does not send it, and removes the folder", async () => {
    const root = await copy("flipped");
    const [one = ""] = await messagesIn(root);
    await flip(join(root, one), 20);
    const before = await readServer(server);
    const result = await drill("flipped", "--messages", "1000", "--json", ...asking(server));
    expect(result.code).toBe(3);
    expect(failuresOf(result)).toMatchObject([{ item: one, message: expect.stringContaining("is damaged") as string }]);
    expect(endOf(result)).toMatchObject({ ok: false, items: total, good: total - 1, left: false });
    expect(await readServer(server)).toEqual(before);
  });

  it("names a message that the server refuses, and one that it changes", async () => {
    const root = await copy("bare");
    const bytes = Buffer.from("Subject: bare\n\nline feeds\n");
    await plantMessage(join(root, "Empty"), { uid: 1, bytes, date: new Date(1e12) });
    await using cyrus = await startCyrus();
    const refused = await drill("bare", "--messages", "1000", "--json", ...asking(cyrus));
    expect(refused.code).toBe(3);
    expect(failuresOf(refused)).toMatchObject([
      { message: expect.stringMatching(/the server refuses Empty\/cur/) as string },
    ]);
    expect(endOf(refused)).toMatchObject({ good: total, items: total + 1, left: false });
    const changed = await drill("bare", "--messages", "1000", "--json", ...asking(server));
    expect(changed.code).toBe(3);
    expect(failuresOf(changed)).toMatchObject([
      { message: expect.stringMatching(/^Empty\/cur.* came back with other bytes: the server changed it$/) as string },
    ]);
    expect(endOf(changed)).toMatchObject({ good: total, items: total + 1, left: false });
  });

  it("says what is wrong where no folder can be made", async () => {
    const acl = at("acl");
    // Read by Dovecot as another user.
    await chmod(directory.path, 0o755);
    await writeFile(acl, "* owner lrwst\n", { mode: 0o644 });
    await using target = await startDovecot({
      extraConfig: `protocol imap {\n  mail_plugins = $mail_plugins acl imap_acl\n}\nplugin {\n  acl = vfile:${acl}\n}\n`,
    });
    const result = await drill("good", ...asking(target));
    expect(result).toMatchObject({ code: 1, stdout: "" });
    expect(result.stderr).toMatch(/the server makes no folder .*leave --server out/);
  });

  it("leaves a folder alone into which somebody else put something", async () => {
    await using appender = await openAppender(loginOf(server));
    const running = startBackup(["drill", at("good"), "--messages", "1000", "--json", ...asking(server)]);
    const name = await untilThere(server);
    await appender.append(name, [{ bytes: Buffer.from("Subject: mine\r\n\r\nkeep\r\n"), date: new Date(1e12 + 7000) }]);
    const result = await running.result;
    expect(result.code).toBe(3);
    expect(eventsOf(result).find(({ type }) => type === "warning")).toMatchObject({
      code: "DRILL_LEFT",
      message: expect.stringContaining("it holds messages that the drill did not put there") as string,
    });
    expect(endOf(result)).toMatchObject({ ok: false, left: true });
    expect(await drillFolders(server)).toEqual([name]);
    await appender.deleteFolder(name);
  });

  it("removes the folder when it is told to stop in the middle", async () => {
    const before = await readServer(server);
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const { child, result } = startBackup(["drill", at("good"), "--messages", "1000", ...asking(server)]);
      await untilThere(server);
      child.kill(signal);
      expect(await result).toExit(130);
      expect(await readServer(server)).toEqual(before);
    }
  });
});

async function subscribedAt(target: MailServer): Promise<readonly string[]> {
  await using appender = await openAppender(loginOf(target));
  const { client } = appender;
  return (await client.list({ listOnly: true })).filter(({ subscribed }) => subscribed).map(({ path }) => path);
}

async function drillFolders(target: MailServer): Promise<readonly string[]> {
  await using appender = await openAppender(loginOf(target));
  return (await appender.client.list()).map(({ path }) => path).filter((path) => path.startsWith("backup-drill-"));
}

async function untilThere(target: MailServer): Promise<string> {
  await using appender = await openAppender(loginOf(target));
  return await vi.waitFor(
    async () => {
      const found = (await appender.client.list()).find(({ path }) => path.startsWith("backup-drill-"));
      if (!found) throw new Error("no folder yet");
      return found.path;
    },
    { timeout: 60_000, interval: 5 },
  );
}
