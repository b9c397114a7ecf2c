import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loginOf, readServer } from "./support/account.js";
import { type Appender, openAppender } from "./support/appender.js";
import { type Result, type Running, reportOf, startBackup, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import { frozen, publishedDays } from "./support/history.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import { seededRandom } from "./support/random.js";
import { REMOTE, type RemoteKind, openRemote, startRemote } from "./support/remote.js";
import { RemoteMailbox } from "./support/remote-mailbox.js";
import { roundsOf } from "./support/rounds.js";
import { temporaryDirectory } from "./support/temporary-directory.js";
import { expectedTree, readTree } from "./support/tree.js";

interface Kind {
  readonly name: string;
  readonly user: string;
  /** Undefined: a directory of this machine. */
  readonly remote?: RemoteKind;
  /** Runs that are killed. */
  readonly kills: number;
}

const KINDS: readonly Kind[] = [
  { name: "a directory here", user: "local", kills: roundsOf(8) },
  { name: "another host, by rsync and SFTP", user: "rsync", remote: REMOTE.rsync, kills: roundsOf(4) },
  { name: "another host, by SFTP", user: "sftp", remote: REMOTE.sftp, kills: roundsOf(4) },
  { name: "another host, by rsync alone", user: "rrsync", remote: REMOTE.rrsync, kills: roundsOf(2) },
];

/** Its account for runs that are killed. */
const killed = (user: string): string => `${user}-killed`;

let server: MailServer;
beforeAll(async () => {
  server = await startDovecot({
    users: Object.fromEntries(KINDS.flatMap(({ user }) => [user, killed(user)]).map((user) => [user, "secret"])),
  });
});
afterAll(async () => await server?.stop());

/** A destination for snapshots of an account. */
interface Scene extends AsyncDisposable {
  /** The destination as this machine sees it. */
  readonly root: string;
  readonly appender: Appender;
  start(...more: string[]): Promise<Running>;
  run(...more: string[]): Promise<Result>;
}

async function openScene({ user, remote }: Kind): Promise<Scene> {
  const appender = await openAppender(loginOf(server, user));
  if (remote) {
    const host = await openRemote(remote);
    const start = (...more: string[]): Promise<Running> => startRemote({ host, server, user, name: "mail", more });
    return {
      root: host.at("mail"),
      appender,
      start,
      run: async (...more) => (await start(...more)).result,
      async [Symbol.asyncDispose]() {
        await appender[Symbol.asyncDispose]();
        await host[Symbol.asyncDispose]();
      },
    };
  }
  const directory = await temporaryDirectory();
  const secret = await writeSecret(directory.path, `${user}.password`, "secret");
  const root = join(directory.path, "mail");
  const start = async (...more: string[]): Promise<Running> =>
    startBackup(
      ["imap", user, root, `imaps://localhost:${server.tlsPort}`].concat(
        ["--srcsecret", secret, "--tls-ca", server.caFile, "--json"],
        more,
      ),
    );
  return {
    root,
    appender,
    start,
    run: async (...more) => (await start(...more)).result,
    async [Symbol.asyncDispose]() {
      await appender[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

describe.each(KINDS)("snapshots in $name", (kind) => {
  test("one for each day, each as the account was then, and never changed after", { timeout: 600_000 }, async () => {
    await using scene = await openScene(kind);
    const { root, appender, run } = scene;
    const account = async () => expectedTree(await readServer(server, kind.user));
    await appender.createFolder("Work");
    await appender.append("INBOX", makeMessages({ count: 12, seed: 1 }));
    await appender.append("Work", makeMessages({ count: 5, seed: 2 }));

    expect(await run("--hist", "--histdate", "2026-10-30")).toMatchObject({ code: 0, stderr: "" });
    const first = await account();
    expect(await readTree(join(root, "2026/10/30"))).toEqual(first);
    const before = await frozen(join(root, "2026/10/30"));

    await appender.setFlags("INBOX", [1, 2], ["\\Seen", "Urgent"]);
    await appender.expunge("INBOX", [3]);
    await appender.move("INBOX", [4], "Work");
    await appender.append("INBOX", makeMessages({ count: 2, seed: 3 }));
    const second = reportOf(await run("--hist", "--histdate", "2026/11/01"));
    // rsync alone renames nothing: what moved is sent again.
    expect(second).toMatchObject({ result: "done", added: kind.remote?.renames === false ? 3 : 2 });
    expect(await readTree(join(root, "2026/11/01"))).toEqual(await account());
    expect(await frozen(join(root, "2026/10/30"))).toEqual(before);
    const middle = await frozen(join(root, "2026/11/01"));

    // Nothing changed: nothing is compared.
    const third = reportOf(await run("--hist", "--histdate", "2026-11-02"));
    expect(third).toMatchObject({ result: "done", unchanged: third.collections, added: 0, renamed: 0 });
    expect(await readTree(join(root, "2026/11/02"))).toEqual(await account());

    // Again on the same day: a snapshot that is replaced as a whole.
    await appender.append("Work", makeMessages({ count: 1, seed: 4 }));
    expect(reportOf(await run("--hist", "--histdate", "2026-11-02"))).toMatchObject({ added: 1 });
    expect(await readTree(join(root, "2026/11/02"))).toEqual(await account());

    // And with --histkeep one that keeps what it had.
    const had = (await account()).find(({ directory }) => directory === "Work")?.messages ?? [];
    await appender.expunge("Work", [1]);
    expect(reportOf(await run("--hist", "--histdate", "2026-11-02", "--histkeep"))).toMatchObject({ kept: 1 });
    const kept = await readTree(join(root, "2026/11/02"));
    expect(kept.find(({ directory }) => directory === "Work")?.messages).toEqual(had);

    const refused = await run("--hist", "--histdate", "2026-11-01");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/has a snapshot of 2026-11-02, newer than 2026-11-01/);
    const mirror = await run();
    expect(mirror).toExit(1);
    expect(mirror.stderr).toContain("holds snapshots, a directory for each day; choose another directory");

    expect(await publishedDays(root)).toEqual(["2026/10/30", "2026/11/01", "2026/11/02"]);
    expect(await frozen(join(root, "2026/10/30"))).toEqual(before);
    expect(await frozen(join(root, "2026/11/01"))).toEqual(middle);
  });

  test("killed at any moment: what has its name is whole, and the next run goes on", { timeout: 900_000 }, async () => {
    const user = killed(kind.user);
    await using scene = await openScene({ ...kind, user });
    const { root, appender, run, start } = scene;
    const random = seededRandom(7);
    const mailbox = new RemoteMailbox(appender, random);
    await mailbox.fill();
    const trees = new Map<string, readonly string[]>();
    const begun = performance.now();
    expect(await run("--hist", "--histdate", "2026-01-01")).toExit(0);
    const length = performance.now() - begun;
    let day = 1;
    for (let round = 0; round < kind.kills; round++) {
      await mailbox.change();
      day += random.below(2);
      const date = `2026/01/${String(day).padStart(2, "0")}`;
      const earlier = (await publishedDays(root)).filter((other) => other !== date);
      for (const other of earlier) trees.set(other, trees.get(other) ?? (await frozen(join(root, other))));
      const running = await start("--hist", "--histdate", date);
      await sleep(150 + random.next() * length);
      running.child.kill("SIGKILL");
      await running.result;
      for (const other of earlier) expect(await frozen(join(root, other)), `after ${round}`).toEqual(trees.get(other));
      if (round % 2 === 0) continue;
      // The lease of an account with rsync alone is known as left behind by its process, on this machine.
      expect(await run("--hist", "--histdate", date)).toExit(0);
      expect(await readTree(join(root, date))).toEqual(expectedTree(await readServer(server, user)));
      for (const other of earlier) expect(await frozen(join(root, other)), `after ${round}`).toEqual(trees.get(other));
    }
    expect(await run("--hist", "--histdate", "2026-02-01")).toExit(0);
    expect(await readTree(join(root, "2026/02/01"))).toEqual(expectedTree(await readServer(server, user)));
    expect((await publishedDays(root)).at(-1)).toBe("2026/02/01");
  });
});
