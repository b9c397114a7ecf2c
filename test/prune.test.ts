import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillAccount, loginOf } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { type Result, runBackup, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import { frozen, publishedDays } from "./support/history.js";
import type { MailServer } from "./support/mail-server.js";
import { REMOTE, openRemote, runRemote } from "./support/remote.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

let server: MailServer;
let directory: TemporaryDirectory;
let secret: string;
beforeAll(async () => {
  server = await startDovecot();
  directory = await temporaryDirectory();
  secret = await writeSecret(directory.path, "alice.password", "secret");
  await fillAccount(server, { messages: 12 });
});
afterAll(async () => {
  await server?.stop();
  await directory?.[Symbol.asyncDispose]();
});

const at = (name: string): string => join(directory.path, name);
const snapshot = (name: string, day: string, ...more: string[]): Promise<Result> =>
  runBackup(
    ["imap", "alice", at(name), `imaps://localhost:${server.tlsPort}`, "--hist", "--histdate", day].concat(
      ["--srcsecret", secret, "--tls-ca", server.caFile],
      more,
    ),
  );

describe("backup ls of a history", () => {
  it("lists the snapshots, and the folders of the newest or of the one that is asked for", async () => {
    expect(await snapshot("ls", "2026-10-31")).toExit(0);
    await using appender = await openAppender(loginOf(server));
    await appender.append("Empty", [{ bytes: Buffer.from("Subject: new\r\n\r\nnew\r\n") }]);
    expect(await snapshot("ls", "2026-11-02")).toExit(0);
    await appender.expunge("Empty", [1]);
    const before = await frozen(at("ls"));

    const { code, stdout } = await runBackup(["ls", at("ls")]);
    expect(code).toBe(0);
    const [header, first, second, empty, head] = stdout.split("\n");
    expect(header).toMatch(/^ *snapshot +folders +files +size +done +at$/);
    expect(first).toMatch(/^2026-10-31 .* all {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
    expect(second).toMatch(/^2026-11-02 /);
    expect(empty).toBe("");
    expect(head).toContain(`${at("ls")}/2026/11/02: imap:`);

    const json = async (...more: string[]) => JSON.parse((await runBackup(["ls", at("ls"), "--json", ...more])).stdout);
    const newest = await json();
    expect(newest).toMatchObject({ snapshot: "2026-11-02", whole: true });
    expect(newest.snapshots).toMatchObject([
      { day: "2026-10-31", report: { result: "done" } },
      { day: "2026-11-02", report: { result: "done" } },
    ]);
    expect(newest.snapshots[1].report.files).toBe(newest.snapshots[0].report.files + 1);
    expect(await json("--snapshot", "2026/10/31")).toMatchObject({ snapshot: "2026-10-31", whole: true });

    const missing = await runBackup(["ls", at("ls"), "--snapshot", "2026-11-01"]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain(
      "has no snapshot of 2026-11-01; those nearest to it are of 2026-10-31, 2026-11-02",
    );
    expect(await runBackup(["ls", at("ls"), "--snapshot", "yesterday"])).toExit(2);
    expect(await frozen(at("ls"))).toEqual(before);
  });
});

describe("backup prune", () => {
  it("removes what nothing keeps, and says why it keeps the rest", async () => {
    for (const day of ["2026-09-30", "2026-10-30", "2026-10-31", "2026-11-01", "2026-11-02"])
      expect(await snapshot("prune", day)).toExit(0);
    await mkdir(at("prune/2026/09/15"));
    await writeFile(at("prune/2026/09/15/photo.jpg"), "mine");
    const before = await frozen(at("prune"));
    const dry = await runBackup(["prune", at("prune"), "--keep-last", "1", "--keep-monthly", "2", "--dry-run"]);
    expect(dry).toMatchObject({ code: 0, stderr: "" });
    expect(dry.stdout.split("\n").slice(0, -2)).toEqual([
      "2026-11-02  kept     last, monthly, newest complete",
      "2026-11-01  removed",
      "2026-10-31  kept     monthly",
      "2026-10-30  removed",
      "2026-09-30  removed",
    ]);
    expect(await frozen(at("prune"))).toEqual(before);
    const kept = await frozen(at("prune/2026/10/31"));
    const { code, stdout } = await runBackup(["prune", at("prune"), "--keep-last", "1", "--keep-monthly", "2"]);
    expect({ code, last: stdout.trimEnd().split("\n").at(-1) }).toEqual({
      code: 0,
      last: `${at("prune")}: done: 2 kept, 3 removed`,
    });
    expect(await publishedDays(at("prune"))).toEqual(["2026/09/15", "2026/10/31", "2026/11/02"]);
    expect(await frozen(at("prune/2026/10/31"))).toEqual(kept);
    expect(await readdir(at("prune/.backup/removing"))).toEqual([]);
    expect(await snapshot("prune", "2026-11-03")).toExit(0);
  });

  it("needs to be told what to keep, and a history", async () => {
    expect(await snapshot("needs", "2026-09-30")).toExit(0);
    for (const options of [[], ["--keep-last", "0"], ["--keep-last", "-1"], ["--keep-daily", "1.5"]])
      expect(await runBackup(["prune", at("needs"), ...options]), options.join(" ")).toExit(2);
    const none = await runBackup(["prune", at("nowhere"), "--keep-last", "1"]);
    expect(none).toExit(1);
    expect(none.stderr).toContain("has no snapshots");
    expect(await publishedDays(at("needs"))).toEqual(["2026/09/30"]);
  });

  it.each([REMOTE.rsync, REMOTE.sftp, REMOTE.rrsync])(
    "does so on another host: $name",
    { timeout: 240_000 },
    async (kind) => {
      await using host = await openRemote(kind);
      for (const day of ["2026-10-31", "2026-11-01"]) {
        const more = ["--hist", "--histdate", day];
        expect(await runRemote({ host, server, name: "mail", more })).toExit(0);
      }
      const args = ["prune", host.destination("mail"), ...host.options, "--keep-last", "1"];
      expect(await runBackup(args, host.env)).toExit(0);
      expect(await publishedDays(host.at("mail"))).toEqual(["2026/11/01"]);
      const listed = await runBackup(["ls", host.destination("mail"), ...host.options, "--json"], host.env);
      expect(JSON.parse(listed.stdout.split("\n").findLast((line) => line !== "") ?? "")).toMatchObject({
        whole: true,
      });
    },
  );

  it("is what a plan's retention does after a complete run, and no other", async () => {
    const plan = (days: string, extra = ""): string => `actions:
  - type: imap
    user: alice
    server: imaps://localhost:${server.tlsPort}
    destination: ${at("plan")}
    srcsecret: ${secret}
    tls-ca: ${server.caFile}
    hist: true
    histdate: ${days}
    retention: { keep-last: 2 }
${extra}`;
    for (const [index, day] of ["2026-10-01", "2026-10-02", "2026-10-03"].entries()) {
      await writeFile(at("plan.yaml"), plan(day));
      expect(await runBackup(["run", at("plan.yaml")]), `${index}`).toExit(0);
    }
    expect(await publishedDays(at("plan"))).toEqual(["2026/10/02", "2026/10/03"]);
    await writeFile(at("plan.yaml"), plan("2026-10-04", "    folder: [INBOX, Missing]\n"));
    expect(await runBackup(["run", at("plan.yaml"), "--dry-run"])).toExit(3);
    expect(await publishedDays(at("plan"))).toEqual(["2026/10/02", "2026/10/03"]);
    expect(await runBackup(["run", at("plan.yaml")])).toExit(3);
    expect(await publishedDays(at("plan"))).toEqual(["2026/10/02", "2026/10/03", "2026/10/04"]);
  });
});
