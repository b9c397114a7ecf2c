import { isAbsolute } from "node:path";
import { BackupError, type PluginRegistry } from "@backup/core";
import type { Account } from "@backup/fleet";
import { parseRemote } from "@backup/transport-rsync/remote";
import { planKey } from "../plan/plan-key.js";
import type { Plan, WrittenAction } from "../plan/plan.js";
import { placeOf } from "../turns.js";

/**
 * The actions of a plan as the queue knows them. @throws BackupError USAGE for one that means a place of this machine alone
 */
export function accountsOf({ actions, plugins }: Plan<WrittenAction>): readonly Account[] {
  const words = wordsOf(plugins);
  // Those that do not come along: a worker has to have them in the same place.
  const named = plugins.all.flatMap(({ origin }) => origin ?? []);
  return actions.map((written) => {
    const { action, excerpt } = written;
    const { name, type, host, destination } = action;
    const remote = parseRemote(destination);
    if (!remote && !isAbsolute(destination))
      throw new BackupError(
        "USAGE",
        `${name}: the destination ${destination} is relative to a directory that a worker does not know; write an absolute path or host:path`,
      );
    const destinationHost = remote?.host.toLowerCase();
    return {
      name,
      type,
      host,
      destinationHost,
      place: placeOf(destination),
      subject: subjectOf(written, words),
      plan: named.length === 0 ? excerpt : { plugins: named, ...excerpt },
    };
  });
}

/** Keys of a plan that mean a run of all of it, which a queue never makes. */
export function unusedOf({ reports, hooks, actions }: Plan<WrittenAction>): readonly string[] {
  const has = {
    reports: Object.values(reports).some((report) => report !== undefined),
    before: hooks.before.length > 0,
    after: hooks.after.length > 0,
    schedule: actions.some(({ schedule }) => schedule !== undefined),
  };
  return Object.entries(has).flatMap(([key, is]) => (is ? [key] : []));
}

/** Keys of the words of each type, but for the destination. */
function wordsOf({ actions }: PluginRegistry): ReadonlyMap<string, readonly string[]> {
  return new Map(
    actions.map(({ name, positionals }) => [
      name,
      positionals.map((word) => planKey(word.name)).filter((key) => key !== "destination"),
    ]),
  );
}

/** Whose data it is. */
function subjectOf({ action, excerpt }: WrittenAction, words: ReadonlyMap<string, readonly string[]>): string {
  return JSON.stringify([action.type, ...(words.get(action.type) ?? []).map((key) => excerpt.actions[0][key])]);
}
