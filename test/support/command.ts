import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { BackupEvent } from "@backup/core";

const MAIN = fileURLToPath(new URL("../../packages/cli/bin/backup.js", import.meta.url));

export interface Result {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly result: Promise<Result>;
}

/** Starts the built command line as a user would, with no terminal. */
export function startBackup(args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd?: string): Running {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
  });
  const finish = async (): Promise<Result> => {
    const [stdout, stderr, [code, signal]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>,
    ]);
    return { code, signal, stdout, stderr };
  };
  return { child, result: finish() };
}

export function runBackup(args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd?: string): Promise<Result> {
  return startBackup(args, env, cwd).result;
}

/** What `--json` printed. */
export function eventsOf({ stdout }: Result): readonly BackupEvent[] {
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as BackupEvent);
}

/** The report of a run with `--json`. */
export function reportOf(result: Result): (BackupEvent & { readonly type: "end" })["report"] {
  const end = eventsOf(result).find((event) => event.type === "end");
  if (end?.type !== "end") throw new Error(`no report; exit ${result.code}: ${result.stderr}${result.stdout}`);
  return end.report;
}

/** Writes a password's file, 0600. */
export async function writeSecret(directory: string, name: string, value: string): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, `${value}\n`, { mode: 0o600 });
  return file;
}
