import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { BackupEvent } from "@backup/core";
import type { Ended } from "./verdict.js";

/** The command `backup` of this machine: a program and its first arguments. */
export type Command = readonly [program: string, ...args: string[]];

/** An event that the command printed. */
export type ChildEvent =
  | BackupEvent
  | { readonly type: "error"; readonly code: string; readonly message: string }
  | Summary;

interface Summary {
  readonly type: "summary";
  readonly actions: readonly {
    readonly status: number;
    readonly error?: { readonly code: string; readonly message: string };
  }[];
}

export interface RunCommand {
  readonly command: Command;
  /** A plan of one action. */
  readonly plan: object;
  /** A private one, for a file of that plan. */
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
  /** Fired: the command is told to end, and is killed `graceMs` later. */
  readonly stop: AbortSignal;
  readonly graceMs: number;
  readonly onEvent: (event: ChildEvent) => void;
}

/** A line is an event, and no longer than this; characters. */
const LONGEST = 256 * 1024;
/** Of what it complains the end is kept, characters. */
const KEPT = 2000;

/**
 * Runs the command on a plan, as a process of its own: what goes wrong in it costs one job. Resolves when it has ended,
 * however it did.
 */
export async function runCommand(options: RunCommand): Promise<Ended> {
  const file = join(options.directory, `${randomUUID()}.yaml`);
  try {
    // JSON is YAML.
    await writeFile(file, JSON.stringify(options.plan), { mode: 0o600, flag: "wx" });
    return await runPlan(file, options);
  } finally {
    await unlink(file);
  }
}

async function runPlan(file: string, { command, env, stop, graceMs, onEvent }: RunCommand): Promise<Ended> {
  const [program, ...first] = command;
  const child = spawn(program, [...first, "run", file, "--json"], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    // A signal for the worker's terminal is the worker's, who ends it in order.
    detached: true,
  });
  let isStopped = false;
  let kill: NodeJS.Timeout | undefined;
  const end = (): void => {
    isStopped = true;
    child.kill("SIGTERM");
    kill = setTimeout(() => child.kill("SIGKILL"), graceMs);
  };
  if (stop.aborted) end();
  stop.addEventListener("abort", end, { once: true });
  try {
    const exited = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
    const [summary, complaint, [status, signal]] = await Promise.all([
      readEvents(child.stdout, onEvent),
      tailOf(child.stderr),
      exited,
    ]);
    const action = summary?.actions[0];
    return {
      // Of a plan with one action, its own status says more.
      status: status === 0 || status === 4 ? status : (action?.status ?? status),
      signal,
      isStopped,
      code: action?.error?.code,
      message: action?.error?.message ?? (summary ? undefined : complaint),
    };
  } finally {
    stop.removeEventListener("abort", end);
    clearTimeout(kill);
  }
}

/** Hands over each event, and gives the last one, which sums up. */
async function readEvents(stdout: Readable, onEvent: RunCommand["onEvent"]): Promise<Summary | undefined> {
  let summary: Summary | undefined;
  for await (const line of createInterface({ input: stdout, crlfDelay: Number.POSITIVE_INFINITY })) {
    const event = line.length > LONGEST ? undefined : parseEvent(line);
    if (!event) continue;
    if (event.type === "summary") summary = event;
    onEvent(event);
  }
  return summary;
}

function parseEvent(line: string): ChildEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isEvent = typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
    // What the command of the same version prints is one.
    return isEvent ? (value as ChildEvent) : undefined;
  } catch (error) {
    // A hook may print whatever it likes.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function tailOf(stderr: Readable): Promise<string> {
  let tail = "";
  for await (const piece of stderr.setEncoding("utf8")) tail = (tail + String(piece)).slice(-KEPT);
  return tail.trim().split("\n").at(-1) ?? "";
}
