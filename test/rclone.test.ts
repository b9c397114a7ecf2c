import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestRemote, startLocal, startS3, startSftp } from "../packages/rclone/test/support/remotes.js";
import { fillAccount, loginOf, readServer } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { type Result, eventsOf, reportOf, runBackup, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import { contentsOf, restoredBy, totalOf } from "./support/restored.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { expectedTree, readTree } from "./support/tree.js";

const REMOTES = [
  { user: "disk", start: startLocal, isDisk: true },
  { user: "sftp", start: startSftp, isDisk: true },
  { user: "s3", start: startS3, isDisk: false },
] as const;

let server: MailServer;
let directory: TemporaryDirectory;
let password: string;
beforeAll(async () => {
  const users = [...REMOTES.map(({ user }) => user), ...REMOTES.map(({ user }) => `${user}back`)];
  server = await startDovecot({ users: Object.fromEntries(users.map((user) => [user, "secret"])) });
  directory = await temporaryDirectory();
  password = await writeSecret(directory.path, "password", "secret");
});
afterAll(async () => {
  await server?.stop();
  await directory?.[Symbol.asyncDispose]();
});

describe.each(REMOTES)("an account at rclone's remote $user", ({ user, start, isDisk }) => {
  let there: TestRemote;
  let path: string;
  beforeAll(async () => {
    [there] = await Promise.all([start(), fillAccount(server, { user, messages: 12 })]);
    path = there.newPath();
    if (isDisk) return;
    // Its server writes that name wrongly into what it answers.
    await using appender = await openAppender(loginOf(server, user));
    await appender.deleteFolder("Entwürfe & Co");
  });
  afterAll(() => there?.[Symbol.asyncDispose]());

  const dest = (): string => `rclone:${there.remote}:${path}`;
  const run = (words: readonly string[], ...more: string[]): Promise<Result> =>
    runBackup([...words, "--dstsecret", there.config, "--json", ...more]);
  const account = (): readonly string[] =>
    [`imaps://localhost:${server.tlsPort}`].concat(["--srcsecret", password, "--tls-ca", server.caFile]);
  const mirror = (...more: string[]): Promise<Result> => run(["imap", user, dest(), ...account()], ...more);
  /** What a run says of itself; fails if it is not simply done. */
  const done = (result: Result) => {
    expect(eventsOf(result).filter(({ type }) => type === "warning" || type === "failed")).toEqual([]);
    expect(result).toMatchObject({ code: 0, signal: null, stderr: "" });
    return reportOf(result);
  };
  const expectMirrored = async (): Promise<void> => {
    if (isDisk) expect(await readTree(path)).toEqual(expectedTree(await readServer(server, user)));
    expect(await run(["verify", dest()])).toMatchObject({ code: 0, stderr: "" });
  };

  it("is mirrored, and costs nothing when nothing changed", async () => {
    const total = totalOf(await readServer(server, user));
    expect(done(await mirror())).toMatchObject({ added: total, items: total });
    await expectMirrored();
    const again = done(await mirror());
    expect(again).toMatchObject({ added: 0, moved: 0, renamed: 0, removed: 0, bytes: 0 });
    expect(again.unchanged).toBe(again.collections);
  });

  it("follows new mail, flags, deletions and folders, and what was moved is not sent again", async () => {
    await using appender = await openAppender(loginOf(server, user));
    await appender.setFlags("INBOX", [1], ["\\Seen", "\\Flagged", "Urgent"]);
    await appender.expunge("INBOX", [2]);
    await appender.append("Empty", makeMessages({ count: 2, seed: 2 }));
    await appender.renameFolder("Archive/2023", "Archive/moved");
    const report = done(await mirror());
    expect(report.added).toBe(2);
    expect(report.moved).toBeGreaterThan(0);
    await expectMirrored();
  });

  it("is verified: what was damaged or lost there is found and comes again", async () => {
    if (!isDisk) return;
    const cur = join(path, "INBOX/cur");
    const [damaged = "", lost = ""] = (await readdir(cur)).toSorted();
    await writeFile(join(cur, damaged), "x");
    await rm(join(cur, lost));
    const result = await run(["verify", dest()]);
    expect(result.code).toBe(3);
    const repaired = await run(["verify", dest(), "--server", ...account(), "--repair"]);
    expect(repaired.stderr).toBe("");
    await expectMirrored();
  });

  it("is listed, and restored into an empty account", async () => {
    expect(await run(["ls", dest()])).toMatchObject({ code: 0, stderr: "" });
    const back = `${user}back`;
    const result = await run(["restore", "imap", dest(), back, ...account()]);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const original = await readServer(server, user);
    expect(restoredBy(result)).toMatchObject({ result: "done", restored: totalOf(original), failed: 0 });
    expect(contentsOf(await readServer(server, back))).toEqual(contentsOf(original));
  });

  it("has a history where the remote copies by itself, and says so where it does not", async () => {
    path = there.newPath();
    const first = await mirror("--hist", "--histdate", "2026-11-01");
    if (isDisk) {
      expect(first.code).toBe(1);
      expect(first.stdout + first.stderr).toContain("leave --hist out");
      return;
    }
    done(first);
    await using appender = await openAppender(loginOf(server, user));
    await appender.expunge("INBOX", [1]);
    const second = await mirror("--hist", "--histdate", "2026-11-02");
    expect(reportOf(second)).toMatchObject({ result: "done", added: 0, removed: 1 });
    expect(eventsOf(second).filter(({ type }) => type === "warning")).toMatchObject([{ code: "FILES_COPIED" }]);
    const total = totalOf(await readServer(server, user));
    const listed = await run(["ls", dest()]);
    expect(listed.code).toBe(0);
    path = `${path}/2026/11/01`;
    expect(await run(["verify", dest()])).toMatchObject({ code: 0 });
    const before = restoredBy(await run(["restore", "imap", dest(), `${user}back`, ...account(), "--dry-run"]));
    expect(before.items).toBe(total + 1);
  });
});

it("what a destination of rclone is, and what it is not, is told in one line", async () => {
  const config = await writeSecret(directory.path, "some.rclone.conf", "[disk]\ntype = local");
  const check = (dest: string) => runBackup(["check-destination", dest, "--dstsecret", config]);
  const ready = await check(`rclone:disk:${join(directory.path, "new")}`);
  expect(ready).toMatchObject({ code: 0, stderr: "" });
  expect(ready.stdout).toContain("rclone 1.");
  expect(await check("rclone:other:x")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("has no remote 'other'; it has: disk"),
  });
  expect(await check("rclone::local:x")).toMatchObject({ code: 2, stderr: expect.stringContaining("names no remote") });
});
