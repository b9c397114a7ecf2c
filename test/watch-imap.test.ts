import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { BackupEvent } from "@backup/core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { busy } from "./support/busy.js";
import { fillAccount, loginOf, readServer } from "./support/account.js";
import { type Appender, openAppender } from "./support/appender.js";
import { type Running, runBackup, startBackup, writeSecret } from "./support/command.js";
import { startCyrus } from "./support/cyrus.js";
import { startDovecot } from "./support/dovecot.js";
import { makeFolder, makeMessage, startFakeImap } from "./support/fake-imap.js";
import { modelTree } from "./support/fake-mirror.js";
import { startHttpServer } from "./support/http-server.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import { startProxy } from "./support/proxy.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { expectedTree, readTree } from "./support/tree.js";

const SOON = { timeout: 60_000, interval: 50 } as const;
const WITHOUT_NOTIFY =
  "imap_capability = IMAP4rev1 SASL-IR ID ENABLE IDLE NAMESPACE UIDPLUS LIST-EXTENDED LIST-STATUS CONDSTORE QRESYNC LITERAL+ UNSELECT";

/** With DEBUG=1. */
const LISTENS = /imap c .*(?:NOTIFY SET|IDLE)/;

type Watching = Running & { readonly output: () => string };

let directory: TemporaryDirectory;
let secret: string;
let running: Watching | undefined;

beforeEach(async () => {
  directory = await temporaryDirectory();
  secret = await writeSecret(directory.path, "alice.password", "secret");
});
afterEach(async () => {
  if (running?.child.exitCode === null) running.child.kill("SIGKILL");
  await running?.result;
  running = undefined;
  await directory[Symbol.asyncDispose]();
});

interface WatchOptions {
  readonly port?: number;
  readonly more?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** The arguments for a mirror of alice into `dest`. */
function mirror(
  server: Pick<MailServer, "tlsPort" | "caFile">,
  { port = server.tlsPort, more = [] }: WatchOptions = {},
) {
  const at = [join(directory.path, "dest"), `imaps://localhost:${port}`, "--tls-ca", server.caFile];
  return ["imap", "alice", ...at, "--srcsecret", secret, ...more];
}

function watch(server: Pick<MailServer, "tlsPort" | "caFile">, options: WatchOptions = {}): Watching {
  const started = startBackup([...mirror(server, options), "--watch"], options.env);
  let seen = "";
  for (const stream of [started.child.stdout, started.child.stderr])
    stream?.on("data", (data: Buffer) => {
      seen += data.toString();
    });
  running = { ...started, output: () => seen };
  return running;
}

async function said(watching: Watching, what: string | RegExp, times = 1): Promise<void> {
  const count = (): number => watching.output().split(what).length - 1;
  await expect.poll(count, { ...SOON, message: String(what) }).toBeGreaterThanOrEqual(times);
}

async function terminate(watching: Watching, name: NodeJS.Signals = "SIGTERM") {
  const sent = performance.now();
  watching.child.kill(name);
  const ended = await watching.result;
  return { ...ended, took: performance.now() - sent };
}

async function change(server: MailServer, task: (appender: Appender) => Promise<unknown>): Promise<void> {
  await using appender = await openAppender(loginOf(server));
  await task(appender);
}

async function expectMirrored(server: MailServer): Promise<void> {
  const wanted = expectedTree(await readServer(server));
  await expect.poll(() => readTree(join(directory.path, "dest")), SOON).toEqual(wanted);
}

describe.each([
  { name: "Dovecot, by NOTIFY", start: () => startDovecot() },
  { name: "Dovecot, by IDLE", start: () => startDovecot({ extraConfig: WITHOUT_NOTIFY }) },
  { name: "Cyrus, by IDLE", start: () => startCyrus({ extraConfig: "imapidlepoll: 1" }) },
])("backup imap --watch: $name", ({ start }) => {
  let server: MailServer;
  beforeAll(async () => {
    server = await start();
    await fillAccount(server, { messages: 20 });
  });
  afterAll(() => server?.stop());

  it("brings new mail, flags and deletions within seconds, a line for each run that did something", async () => {
    const watching = watch(server, { more: ["--watch-folder", "INBOX", "--watch-folder", "Archive"] });
    await said(watching, "watching for changes\n");
    await expectMirrored(server);
    await change(server, (appender) => appender.append("INBOX", makeMessages({ count: 2, seed: 7 })));
    await said(watching, " 2 new,");
    await expectMirrored(server);
    await change(server, (appender) => appender.setFlags("Archive", [1], ["\\Draft", "\\Answered", "Urgent"]));
    await said(watching, " 1 flags,");
    await change(server, (appender) => appender.expunge("INBOX", [1]));
    await said(watching, " 1 deleted,");
    await expectMirrored(server);
    const { code, stdout, stderr, took } = await terminate(watching);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(took).toBeLessThan(busy(3000));
    const [, rest = ""] = stdout.split("watching for changes\n");
    expect(rest.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^done: .* 2 new, /),
      expect.stringMatching(/^done: .* 1 flags, /),
      expect.stringMatching(/^done: .* 1 deleted, /),
      "the watch has ended",
    ]);
  });

  it("goes on when the connection was cut, and says so once", async () => {
    await using proxy = await startProxy({ target: server.tlsPort });
    const watching = watch(server, { port: proxy.port, env: { DEBUG: "1" } });
    await said(watching, LISTENS);
    // While nobody hears of it.
    proxy.cutAll();
    await change(server, (appender) => appender.append("INBOX", makeMessages({ count: 1, seed: 11 })));
    await said(watching, " 1 new,");
    await said(watching, "the source is watched again\n");
    await expectMirrored(server);
    const { code, stderr } = await terminate(watching, "SIGINT");
    expect(code).toBe(0);
    expect(stderr.split("\n").filter((line) => line.startsWith("warning: "))).toEqual([
      expect.stringMatching(
        /^warning: the source cannot be watched now: the connection to imaps:\S+ that waits for changes was lost \(tried again in 1s, and for ever\)$/,
      ),
    ]);
  });

  it("notices a connection that has died in silence", async () => {
    await using proxy = await startProxy({ target: server.tlsPort });
    const watching = watch(server, { port: proxy.port, more: ["--timeout", "3"], env: { DEBUG: "1" } });
    await said(watching, LISTENS);
    proxy.fault = { kind: "stall", afterBytes: 0 };
    await expect.poll(() => proxy.struck, SOON).toBeGreaterThan(0);
    await change(server, (appender) => appender.append("INBOX", makeMessages({ count: 1, seed: 12 })));
    await said(watching, "warning: the source cannot be watched now: ");
    proxy.fault = undefined;
    await said(watching, " 1 new,");
    await terminate(watching);
  }, 180_000);
});

describe("backup imap --watch", () => {
  let port: number | undefined;

  /** A server that can be started again at its port. */
  const fake = async (more: object = {}) => {
    const server = await startFakeImap({ folders: new Map([["INBOX", makeFolder(3)]]), ...more });
    port = server.tlsPort;
    return server;
  };
  const events = (watching: Watching): readonly (BackupEvent | { readonly type: string })[] =>
    watching
      .output()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as BackupEvent);

  it("ends by a refused login at the start, as without it", async () => {
    await using server = await fake();
    secret = await writeSecret(directory.path, "wrong.password", "wrong");
    const { code, stderr } = await runBackup([...mirror(server), "--watch"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^backup: imaps:\S+ refused the login of alice .*\n$/);
  });

  it("waits for a server that is not there yet, and for one that is restarted", async () => {
    await using first = await startDovecot();
    await fillAccount(first, { messages: 5 });
    await using proxy = await startProxy({ target: first.tlsPort });
    proxy.fault = { kind: "cut", afterBytes: 0, times: 1 };
    const watching = watch(first, { port: proxy.port });
    await said(watching, "warning: the run failed: ");
    await said(watching, "runs go well again\n");
    await expectMirrored(first);
    // For a while nobody is let in.
    proxy.fault = { kind: "cut", afterBytes: 0 };
    proxy.cutAll();
    await change(first, (appender) => appender.append("INBOX", makeMessages({ count: 3, seed: 5 })));
    await said(watching, "warning: the source cannot be watched now: ");
    await expect.poll(() => proxy.struck, SOON).toBeGreaterThan(3);
    proxy.fault = undefined;
    await said(watching, " 3 new,");
    await expectMirrored(first);
    const { code, stderr } = await terminate(watching);
    expect(code).toBe(0);
    expect(stderr.match(/^warning: /gm)?.length).toBeLessThan(5);
  });

  it("is interrupted with 130 while it runs", async () => {
    await using server = await fake();
    server.fault = ({ command }) => (command === "LIST" ? { type: "stall" } : undefined);
    const watching = watch(server);
    await expect.poll(() => server.commands.some((command) => command.startsWith("LIST")), SOON).toBe(true);
    const { code, stderr, took } = await terminate(watching);
    expect({ code, stderr }).toEqual({
      code: 130,
      stderr: expect.stringMatching(/^backup: stopped by SIGTERM; .*\n$/),
    });
    expect(took).toBeLessThan(busy(3000));
  });

  it("with --json prints events: of each run that did something its end alone", async () => {
    await using server = await fake();
    const watching = watch(server, { more: ["--json", "--timeout", "2"] });
    await said(watching, '"type":"watch"');
    expect(events(watching).map(({ type }) => type)).toEqual([
      "start",
      "lease",
      "collection",
      "plan",
      "progress",
      "end",
      "watch",
    ]);
    server.folders.get("INBOX")?.messages.push(makeMessage(4));
    Object.assign(server.folders.get("INBOX") ?? {}, { uidnext: 5, highestmodseq: 7 });
    server.fault = ({ command }) => (command === "NOOP" ? { type: "untagged", lines: ["* 4 EXISTS"] } : undefined);
    await said(watching, '"type":"end"', 2);
    expect(await readTree(join(directory.path, "dest"))).toEqual(modelTree(server.folders));
    await terminate(watching);
    expect(
      events(watching)
        .map(({ type }) => type)
        .slice(7),
    ).toEqual(["end", "watch-end"]);
  });

  it("reports the runs that did something, and says that it is alive", async () => {
    await using server = await fake();
    await using pings = await startHttpServer();
    const health = join(directory.path, "health.json");
    const env = { PING_URL: `${pings.url}/ping`, BACKUP_HEALTH_FILE: health };
    const watching = watch(server, { env, more: ["--timeout", "2"] });
    await said(watching, "watching for changes\n");
    expect(await runBackup(["health"], env)).toMatchObject({ code: 0, stdout: "alive and well\n" });
    expect(JSON.parse(await readFile(health, "utf8"))).toMatchObject({ last: { outcome: "ok", failed: [] } });
    // The run after it began to listen has nothing to do.
    const logins = (): number => server.commands.filter((command) => /^(LOGIN|AUTHENTICATE)/.test(command)).length;
    await expect.poll(logins, SOON).toBe(3);
    server.folders.get("INBOX")?.messages.push(makeMessage(4));
    Object.assign(server.folders.get("INBOX") ?? {}, { uidnext: 5, highestmodseq: 7 });
    server.fault = ({ command }) => (command === "NOOP" ? { type: "untagged", lines: ["* 4 EXISTS"] } : undefined);
    await said(watching, " 1 new,");
    await expect.poll(() => pings.requests.length, SOON).toBe(2);
    await terminate(watching);
  });

  it.each([
    [["--watch", "--dry-run"], {}, "--watch goes on for ever, and a dry run is over at once; leave out one"],
    [["--watch-folder", "A"], {}, "--watch-folder says what --watch watches; give that too"],
    [["--watch"], { BACKUP_JOURNAL: "/dev/null" }, "--watch never ends, so the script that it is in would not either"],
  ])("refuses %j", async (more, env, message) => {
    const { code, stderr } = await runBackup(mirror({ tlsPort: port ?? 993, caFile: "/dev/null" }, { more }), env);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) });
  });
});
