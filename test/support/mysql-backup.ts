import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import {
  type BackupEvent,
  LocalStore,
  type ProgramRunner,
  type Report,
  type RestoreReport,
  Secret,
  backup,
  programRunner,
  readBackup,
} from "@backup/core";
import {
  type Machine,
  MysqlClients,
  type MysqlServer,
  type MysqlSourceOptions,
  MysqlTarget,
  type MysqlTargetOptions,
  localMachine,
  mysqlSource,
} from "@backup/mysql";

type Failed = Extract<BackupEvent, { type: "failed" }>;

/** Who logs on, and how. */
export interface Login {
  readonly port?: number | undefined;
  readonly socket?: string | undefined;
  readonly user?: string;
  readonly password?: string;
  readonly caFile?: string;
}

const NEVER = new AbortController().signal;

export function runnerOf(signal: AbortSignal = NEVER, env: NodeJS.ProcessEnv = process.env): ProgramRunner {
  return programRunner({ env, signal, scrub: (text) => text });
}

/** By the socket as root, or, with a port, by TCP. @param directory for option files */
export async function clientsOf(
  { port, socket, user = "root", password, caFile }: Login,
  directory: string,
  { runner = runnerOf(), machine }: { readonly runner?: ProgramRunner; readonly machine?: Machine } = {},
): Promise<MysqlClients> {
  await mkdir(directory, { recursive: true });
  const own = await mkdtemp(join(directory, "client-"));
  const host = port === undefined ? "localhost" : "127.0.0.1";
  const server: MysqlServer = { user, host, port, database: undefined };
  const here = machine ?? localMachine({ runner, temporaryDirectory: async () => own });
  return new MysqlClients(here, {
    server,
    password: password === undefined ? undefined : new Secret(password),
    socket,
    tls: caFile === undefined ? "none" : "verify",
    tlsCa: caFile,
  });
}

export const ALL: Omit<MysqlSourceOptions, "clients"> = {
  runner: runnerOf(),
  selection: { include: [], exclude: [] },
  split: "none",
  users: true,
  compression: "gzip",
  silenceMs: 60_000,
};

export interface Ran<R> {
  readonly report: R;
  readonly failed: readonly Failed[];
  readonly events: readonly BackupEvent[];
}

/** One run into a directory of this machine. */
export async function runMysql(
  options: Pick<MysqlSourceOptions, "clients"> & Partial<MysqlSourceOptions>,
  destination: string,
  signal: AbortSignal = NEVER,
): Promise<Ran<Report>> {
  const { events, onEvent, failed } = recording();
  await using store = new LocalStore(destination);
  await using source = mysqlSource({ ...ALL, onEvent, ...options });
  return { report: await backup({ source, store, onEvent, signal }), failed, events };
}

/** Brings a backup back to a server. */
export async function restoreMysql(
  options: Pick<MysqlTargetOptions, "clients"> & Partial<MysqlTargetOptions>,
  destination: string,
  { dryRun = false, scratch }: { readonly dryRun?: boolean; readonly scratch: string },
): Promise<Ran<RestoreReport>> {
  const { events, onEvent, failed } = recording();
  await using store = new LocalStore(destination);
  await using target = new MysqlTarget({
    runner: ALL.runner,
    selection: ALL.selection,
    users: false,
    overwrite: false,
    temporaryDirectory: async () => scratch,
    ...options,
  });
  const { inventory } = await readBackup(store, NEVER);
  return { report: await target.restore({ store, inventory, dryRun, signal: NEVER, onEvent }), failed, events };
}

function recording(): { events: BackupEvent[]; failed: Failed[]; onEvent: (event: BackupEvent) => void } {
  const events: BackupEvent[] = [];
  const failed: Failed[] = [];
  const onEvent = (event: BackupEvent): void => {
    events.push(event);
    if (event.type === "failed") failed.push(event);
  };
  return { events, failed, onEvent };
}

/** The directory of a database in a backup. */
export function databaseIn(destination: string, database: string): string {
  return join(destination, "databases", database);
}
