import { setTimeout } from "node:timers/promises";
import { readJournal } from "./journal.js";
import { type Member, membersOf } from "@backup/core";

export interface BackgroundOptions {
  readonly group: number;
  readonly journal: string;
  readonly signal: AbortSignal;
  /** What is no action, or not yet, is waited for so long, milliseconds. Default 10 s: `backup … &` begins after a moment only. */
  readonly quietMs?: number;
}

/** How often it is looked, milliseconds. */
const LOOK_MS = 100;

/**
 * Waits for what a script that has ended left in the background: for actions however long they take, for the rest a while.
 * Resolves to what was not waited for.
 */
export async function waitForBackground({
  group,
  journal,
  signal,
  quietMs = 10_000,
}: BackgroundOptions): Promise<readonly Member[]> {
  let quietSince = performance.now();
  for (;;) {
    const members = membersOf(group);
    if (members.length === 0 || signal.aborted) return [];
    const { unended } = readJournal(journal);
    if (members.some(({ pid }) => unended.includes(pid))) quietSince = performance.now();
    else if (performance.now() - quietSince > quietMs) return members;
    await setTimeout(LOOK_MS);
  }
}
