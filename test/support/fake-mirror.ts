import { createHash } from "node:crypto";
import { type BackupEvent, LocalStore, type Report, Secret, backup, isBackupError } from "@backup/core";
import { ImapSource, type ImapSourceOptions } from "@backup/imap";
import { exitOfError, exitOfReport } from "../../packages/cli/src/exit-code.js";
import type { Bytes, FakeImap, Folder, Message } from "./fake-imap.js";
import type { TreeFolder } from "./tree.js";

export interface MirrorOptions {
  /** Longest silence of the server, milliseconds. Default 2000. */
  readonly timeoutMs?: number;
  /** Default 2. */
  readonly reconnects?: number;
  /** Default: pauses of 20 ms, one second in all. */
  readonly patience?: ImapSourceOptions["patience"];
  readonly signal?: AbortSignal;
  readonly allowDeletes?: boolean;
  readonly full?: boolean;
  /** Default 4. */
  readonly connections?: number;
  /** Folders that are left out. */
  readonly exclude?: readonly string[];
  /** Port to connect to, if not the server's own: a proxy's. */
  readonly port?: number;
  /** Default `tls`. */
  readonly security?: "tls" | "starttls";
  /** Where many runs share it. Default: made of the server's certificate. */
  readonly secureContext?: ImapSourceOptions["secureContext"];
}

/** What came of one run. */
export interface Mirrored {
  readonly report: Report | undefined;
  /** What ended the run. */
  readonly error: unknown;
  /** `code` of `error`. */
  readonly code: string | undefined;
  /** What the command line would have ended with. */
  readonly exit: number;
  /** Failures as `<collection> <item>` or `<collection>`, sorted. */
  readonly failed: readonly string[];
  /** Their messages. */
  readonly said: readonly string[];
  readonly events: readonly BackupEvent[];
}

/** Mirrors a fake server's account in this process. Never throws: what went wrong is in the answer. */
export async function mirrorFake(
  server: Pick<FakeImap, "tlsPort" | "ca">,
  destination: string,
  {
    timeoutMs = 2000,
    reconnects = 2,
    patience = { pauseMs: 20, totalMs: 1000 },
    signal,
    allowDeletes = false,
    full = false,
    connections,
    exclude = [],
    port,
    security = "tls",
    secureContext,
  }: MirrorOptions = {},
): Promise<Mirrored> {
  const events: BackupEvent[] = [];
  const onEvent = (event: BackupEvent): void => void events.push(event);
  let report: Report | undefined;
  let error: unknown;
  try {
    await using source = new ImapSource({
      server: { host: "localhost", port: port ?? server.tlsPort, security },
      login: { user: "alice", password: new Secret("secret") },
      ca: server.ca,
      secureContext,
      timeoutMs,
      reconnects,
      patience,
      connections,
      filter: { exclude },
      onEvent,
    });
    await using store = new LocalStore(destination);
    report = await backup({ source, store, onEvent, signal, allowDeletes, full });
  } catch (thrown) {
    error = thrown;
  }
  const failures = events.filter((event) => event.type === "failed");
  return {
    report,
    error,
    code: isBackupError(error) ? error.code : undefined,
    exit: report && error === undefined ? exitOfReport(report) : exitOfError(error),
    failed: failures
      .map(({ collection, item }) => (item === undefined ? collection : `${collection} ${item}`))
      .toSorted(),
    said: failures.map(({ message }) => message),
    events,
  };
}

/** What a complete backup of these folders is, for names that need no escape. */
export function modelTree(folders: ReadonlyMap<string, Folder>): readonly TreeFolder[] {
  return [...folders]
    .map(([name, { delimiter, uidvalidity, messages }]) => ({
      directory: delimiter === null ? name : name.split(delimiter).join("/"),
      uidvalidities: messages.length > 0 ? [uidvalidity] : [],
      messages: messages.map(modelMessage).toSorted((a, b) => a.uid - b.uid),
    }))
    .toSorted((a, b) => (a.directory < b.directory ? -1 : 1));
}

function modelMessage({ uid, bytes, flags, internaldate }: Message) {
  const date = internaldate instanceof Date ? Math.floor(internaldate.getTime() / 1000) : 0;
  return { uid, sha256: sha256Of(bytes), size: bytes.length, flags: flags.toSorted(), date };
}

/** Hexadecimal. */
export function sha256Of(bytes: Bytes): string {
  const hash = createHash("sha256");
  const step = 1024 * 1024;
  for (let from = 0; from < bytes.length; from += step) hash.update(bytes.subarray(from, from + step));
  return hash.digest("hex");
}
