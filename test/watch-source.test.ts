import { readFile } from "node:fs/promises";
import { BackupError, Secret, isBackupError } from "@backup/core";
import { ImapSource, type WatchedFolders } from "@backup/imap";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { busy } from "./support/busy.js";
import { fillAccount, loginOf } from "./support/account.js";
import { type Appender, openAppender } from "./support/appender.js";
import { startCourier } from "./support/courier.js";
import { startCyrus } from "./support/cyrus.js";
import { startDovecot } from "./support/dovecot.js";
import { BARE_CAPABILITIES, type FakeImap, makeFolder, makeMessage, startFakeImap } from "./support/fake-imap.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import { startProxy } from "./support/proxy.js";

interface Watched extends AsyncDisposable {
  /** How often it has yielded. */
  readonly heard: number;
  /** Resolves when it yields for the first time since this was called; rejects when it has ended. */
  next(): Promise<void>;
  /** What it ended with. */
  readonly ended: Promise<unknown>;
  readonly said: readonly string[];
  stop(): void;
}

interface WatchOptions extends WatchedFolders {
  readonly port?: number;
  readonly timeoutMs?: number;
}

/** Watches folders of alice. */
function watch(
  server: Pick<MailServer, "tlsPort"> & { readonly ca: string },
  { port = server.tlsPort, timeoutMs = 20_000, ...folders }: WatchOptions = {},
): Watched {
  const said: string[] = [];
  const source = new ImapSource({
    server: { host: "localhost", port, security: "tls" },
    login: { user: "alice", password: new Secret("secret") },
    ca: server.ca,
    timeoutMs,
    watch: folders,
    trace: true,
    onEvent: (event) => void (event.type === "debug" && said.push(event.message)),
  });
  const stop = new AbortController();
  let heard = 0;
  let hear = (): void => {};
  const run = async (): Promise<unknown> => {
    try {
      for await (const _change of source.changes(stop.signal)) {
        heard++;
        hear();
      }
      return undefined;
    } catch (error) {
      return error;
    } finally {
      await source[Symbol.asyncDispose]();
    }
  };
  const ended = run();
  return {
    get heard() {
      return heard;
    },
    next: async () =>
      await Promise.race([
        new Promise<void>((resolve) => {
          hear = resolve;
        }),
        ended.then((error) => {
          throw error;
        }),
      ]),
    ended,
    said,
    stop: () => stop.abort(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

const BOTH = { folders: ["INBOX", "Archive", "Entwürfe*"], connections: 3 } as const;
const WITHOUT_NOTIFY =
  "imap_capability = IMAP4rev1 SASL-IR ID ENABLE IDLE NAMESPACE UIDPLUS LIST-EXTENDED LIST-STATUS CONDSTORE QRESYNC LITERAL+ UNSELECT";

describe.each([
  { name: "Dovecot, by NOTIFY", says: " NOTIFY SET ", start: () => startDovecot() },
  { name: "Dovecot, by IDLE", says: " IDLE", start: () => startDovecot({ extraConfig: WITHOUT_NOTIFY }) },
  // Debian's package has no idled: it looks itself, and so often.
  { name: "Cyrus, by IDLE", says: " IDLE", start: () => startCyrus({ extraConfig: "imapidlepoll: 1" }) },
])("$name", ({ start, says }) => {
  let server: MailServer & { readonly ca: string };
  beforeAll(async () => {
    const started = await start();
    server = { ...started, ca: await readFile(started.caFile, "utf8") };
    await fillAccount(server, { messages: 20 });
  });
  afterAll(() => server?.stop());
  const change = async (task: (appender: Appender) => Promise<unknown>): Promise<void> => {
    await using appender = await openAppender(loginOf(server));
    await task(appender);
  };

  it("tells of new messages, flags and deleted messages, in each folder that is watched", async () => {
    await using watched = watch(server, BOTH);
    await watched.next();
    expect(watched.said.join("\n")).toContain(says);
    for (const folder of ["INBOX", "Archive", "Entwürfe & Co"]) {
      for (const task of [
        (appender: Appender) => appender.append(folder, makeMessages({ count: 1, seed: 8 })),
        (appender: Appender) => appender.setFlags(folder, [1], ["\\Draft", "\\Answered"]),
        (appender: Appender) => appender.setFlags(folder, [1], ["\\Flagged"]),
        (appender: Appender) => appender.expunge(folder, [1]),
      ]) {
        const told = watched.next();
        await change(task);
        await told;
      }
    }
  });

  it("tells of nothing where nothing changes, and of no folder that is not watched", async () => {
    await using watched = watch(server, { beatMs: 300 });
    await watched.next();
    await change((appender) => appender.append("Sent Items", makeMessages({ count: 1, seed: 4 })));
    // Some beats later.
    await expect
      .poll(() => watched.said.filter((line) => line.includes("NOOP")).length, { timeout: 60_000 })
      .toBeGreaterThan(5);
    expect(watched.heard).toBe(1);
  });

  it("ends at once when it is told to, and by an error", async () => {
    const watched = watch(server, BOTH);
    await watched.next();
    const from = performance.now();
    watched.stop();
    expect(await watched.ended).toMatchObject({ code: "ABORTED" });
    expect(performance.now() - from).toBeLessThan(busy(1500));
  });

  it.each([
    ["cut", "CONNECTION_LOST"],
    ["silent", "TIMEOUT"],
  ] as const)("ends by an error when the connection is %s", async (kind, code) => {
    await using proxy = await startProxy({ target: server.tlsPort });
    await using watched = watch(server, {
      port: proxy.port,
      ...(kind === "cut" ? {} : { timeoutMs: 1500, beatMs: 200 }),
    });
    await watched.next();
    if (kind === "cut") proxy.cutAll();
    else proxy.fault = { kind: "stall", afterBytes: 0 };
    const error = await watched.ended;
    expect(error).toMatchObject({ transient: true });
    expect([code, "CONNECTION_LOST"]).toContain(isBackupError(error) ? error.code : error);
  });

  it("needs a folder that is there", async () => {
    await using watched = watch(server, { folders: ["Inbox*", "Nothing"] });
    const error = await watched.ended;
    expect(error).toBeInstanceOf(BackupError);
    expect(error).toMatchObject({
      code: "NOTHING_SELECTED",
      message: expect.stringMatching(/^no folder to watch matches Inbox\*, Nothing; .* has .*INBOX/),
    });
  });
});

describe("a server without IDLE", () => {
  it("is asked: Courier, about a flag and a message in a folder that is open, and in one that is not", async () => {
    await using server = await startCourier();
    await fillAccount(server, { messages: 10, separator: "." });
    const ca = await readFile(server.caFile, "utf8");
    await using watched = watch({ ...server, ca }, { folders: ["INBOX", "INBOX/Archive"], beatMs: 300 });
    await watched.next();
    for (const folder of ["INBOX", "Archive"]) {
      const told = watched.next();
      await using appender = await openAppender(loginOf(server));
      await appender.append(folder, makeMessages({ count: 1, seed: 8 }));
      await told;
    }
    const told = watched.next();
    await using appender = await openAppender(loginOf(server));
    await appender.setFlags("INBOX", [1], ["\\Flagged", "\\Draft"]);
    await told;
  });

  it("is asked by STATUS alone about what it allows no connection for", async () => {
    const folders = new Map(["INBOX", "A", "B"].map((name) => [name, makeFolder(2)]));
    await using server: FakeImap = await startFakeImap({ capabilities: BARE_CAPABILITIES, folders });
    await using watched = watch(server, { folders: ["*"], connections: 3, beatMs: 300 });
    server.fault = ({ command, connection }) =>
      command === "LOGIN" && connection > 1 ? { type: "no", text: "[LIMIT] too many connections" } : undefined;
    await watched.next();
    const told = watched.next();
    folders.get("B")?.messages.push(makeMessage(9));
    await told;
    expect(server.commands.filter((command) => command.startsWith("EXAMINE"))).toEqual(["EXAMINE INBOX"]);
  });
});

describe("a server with NOTIFY", () => {
  it("tells of a new folder: Dovecot", async () => {
    await using server = await startDovecot();
    const ca = await readFile(server.caFile, "utf8");
    await using watched = watch({ ...server, ca });
    await watched.next();
    const told = watched.next();
    await using appender = await openAppender(loginOf(server));
    await appender.createFolder("Fresh");
    await told;
  });

  it("that refuses it is listened to in another way", async () => {
    await using server = await startFakeImap({ capabilities: [...BARE_CAPABILITIES, "NOTIFY"] });
    server.fault = ({ command }) => {
      if (command === "NOTIFY") return { type: "no", text: "[BADEVENT (MessageNew)] not those" };
      return command === "NOOP" ? { type: "untagged", lines: ["* 3 EXISTS"] } : undefined;
    };
    await using watched = watch(server, { beatMs: 200 });
    await watched.next();
    await watched.next();
    expect(server.commands.filter((command) => /^(NOTIFY|EXAMINE)/.test(command))).toEqual([
      'NOTIFY SET (MAILBOXES ("INBOX") (MessageNew MessageExpunge FlagChange)) (PERSONAL (MailboxName))',
      "EXAMINE INBOX",
    ]);
  });

  it("is heard, opens no folder, and ends by an error when it has had enough", async () => {
    await using server = await startFakeImap({ capabilities: [...BARE_CAPABILITIES, "NOTIFY"] });
    let line = "* STATUS INBOX (MESSAGES 4 UIDNEXT 5)";
    server.fault = ({ command }) => (command === "NOOP" ? { type: "untagged", lines: [line] } : undefined);
    await using watched = watch(server, { beatMs: 200 });
    await watched.next();
    await watched.next();
    line = "* OK [NOTIFICATIONOVERFLOW] too much";
    expect(await watched.ended).toMatchObject({ code: "PROTOCOL", transient: true });
    expect(server.commands.filter((command) => command.startsWith("EXAMINE"))).toEqual([]);
  });
});
