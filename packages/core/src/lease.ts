import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { BackupError, isBackupError, systemCode } from "./errors.js";
import type { Path } from "./model.js";
import { PRIVATE } from "./paths.js";
import { isDeadHere, processMark } from "./process-mark.js";

/** The right to write to a destination, until it is disposed of. */
export interface Lease extends AsyncDisposable {
  /** Fires when the lease is lost: the holder must not write any more. Its reason is a BackupError LEASE_LOST. */
  readonly lost: AbortSignal;
  /**
   * Higher than that of every lease that was taken over from a run that may still be alive: who has the higher number
   * writes. Mostly it is the time at which the lease was taken, milliseconds since 1970.
   */
  readonly fence: number;
  /** Different for every lease that is ever taken; while it is held, the destination's `LEASE_FILE` has it. */
  readonly token: string;
}

/** One small file that a store keeps for its lease. */
export interface LeaseFile {
  /** Makes the file if there is none, with its whole content at once; false: there is one. */
  create(text: string): Promise<boolean>;
  /** Content, and the time since it was last written, by the store's clock. */
  read(): Promise<{ readonly text: string; readonly ageMs: number } | undefined>;
  /** Writes the content again: the heartbeat. */
  beat(text: string): Promise<void>;
  /** Removes the file if it has this content; false: it has another. */
  remove(text: string): Promise<boolean>;
}

/** Where a store keeps it. */
export const LEASE_FILE: Path = `${PRIVATE}/lease.json`;

interface Holder {
  readonly token: string;
  readonly host: string;
  readonly pid: number;
  /** Tells this process from a later one with the same number; see processMark. */
  readonly process: string;
  readonly since: string;
  /** See Lease. */
  readonly fence: number;
}

export interface LeaseTiming {
  /** Time between heartbeats, milliseconds. */
  readonly beatMs: number;
  /** Age at which a lease counts as left behind, milliseconds. */
  readonly expiryMs: number;
}

export const LEASE_TIMING: LeaseTiming = { beatMs: 15_000, expiryMs: 90_000 };

/**
 * Takes the lease, or one that was left behind: its holder has not written for `expiryMs`, or ran on this machine and
 * is dead. It never blocks for longer than that.
 * @throws BackupError LEASE_HELD
 */
export async function takeLease(file: LeaseFile, where: string, timing: LeaseTiming = LEASE_TIMING): Promise<Lease> {
  const since = new Date();
  const who = { token: randomUUID(), host: hostname(), pid: process.pid, process: processMark() };
  let holder: Holder = { ...who, since: since.toISOString(), fence: since.getTime() };
  for (let attempt = 0; !(await file.create(textOf(holder))); attempt++) {
    const found = await file.read();
    const other = found && parseHolder(found.text);
    if (other) holder = { ...holder, fence: Math.max(holder.fence, other.fence + 1) };
    const free = !found || found.ageMs > timing.expiryMs || (other !== undefined && isDeadHere(other));
    if (!free || attempt > 3) throw heldError(where, other, found?.ageMs ?? 0, timing.expiryMs);
    if (found) await file.remove(found.text);
  }
  return keep(file, holder, where, timing);
}

function textOf(holder: Holder): string {
  return `${JSON.stringify(holder)}\n`;
}

function keep(file: LeaseFile, holder: Holder, where: string, { beatMs, expiryMs }: LeaseTiming): Lease {
  const text = textOf(holder);
  const lost = new AbortController();
  const lose = (cause?: unknown): void => {
    const message = `stopped: another run took over ${where} while this one stood still; run again`;
    lost.abort(new BackupError("LEASE_LOST", message, { transient: true, cause }));
  };
  let beaten = Date.parse(holder.since);
  let fault: unknown;
  let running: Promise<void> | undefined;
  const beat = async (): Promise<void> => {
    // Stood still for so long that another run may have begun: nothing is asked, while which something could be written.
    if (Date.now() - beaten > expiryMs) return lose(fault);
    try {
      if ((await file.read())?.text !== text) return lose();
      await file.beat(text);
      beaten = Date.now();
      fault = undefined;
    } catch (error) {
      // One failed beat is no loss; the lease is ours until it expires.
      fault = error;
    }
  };
  const timer = setInterval(() => {
    running ??= beat().finally(() => {
      running = undefined;
    });
  }, beatMs);
  timer.unref();
  return {
    lost: lost.signal,
    fence: holder.fence,
    token: holder.token,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await running;
      if (lost.signal.aborted) return;
      try {
        await file.remove(text);
      } catch (error) {
        // A disk that went away must not hide why the run ended; what is left expires by itself.
        if (systemCode(error) === undefined && !isBackupError(error)) throw error;
      }
    },
  };
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    const { token, host, pid, process: mark, since, fence } = value as Partial<Record<keyof Holder, unknown>>;
    if (typeof token !== "string" || typeof host !== "string" || typeof pid !== "number") return undefined;
    const number = Number.isSafeInteger(fence) ? Number(fence) : 0;
    return { token, host, pid, process: String(mark), since: String(since), fence: number };
  } catch (error) {
    // Cut short by a crash: nobody can be named, and its age decides.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function heldError(where: string, holder: Holder | undefined, ageMs: number, expiryMs: number): BackupError {
  const who = holder ? `process ${holder.pid} on ${holder.host} since ${holder.since}` : "an unknown process";
  const wait = Math.max(1, Math.ceil((expiryMs - ageMs) / 1000));
  return new BackupError(
    "LEASE_HELD",
    `another run is writing to ${where}: ${who}. Wait until it has ended; if it is dead, run again in ${wait} s`,
    { transient: true },
  );
}
