import type { Health } from "./health.js";
import type { Plan } from "./plan/plan.js";
import type { ActionResult, SessionResult } from "./result.js";

/** How a run of a watch ended, as far as its record holds that. */
export interface RunEnd extends Pick<SessionResult, "outcome"> {
  readonly actions: readonly Pick<ActionResult, "name" | "outcome">[];
}

/** What became of the actions of a watch: one that failed is remembered until it has run again. */
export interface WatchRecord {
  note(end: RunEnd): void;
  /** Forgets what this plan, which takes the place of the last one, does not have. */
  follow(plan: Pick<Plan, "actions">): void;
  last(): Health["last"];
}

export function watchRecord(plan: Pick<Plan, "actions">): WatchRecord {
  let names = namesOf(plan);
  let failed: ReadonlySet<string> = new Set();
  let last: Omit<NonNullable<Health["last"]>, "failed"> | undefined;
  return {
    note({ outcome, actions }) {
      last = { outcome, at: new Date().toISOString() };
      const bad = actions.filter((action) => ["failed", "interrupted"].includes(action.outcome));
      const ran = new Set(actions.map(({ name }) => name));
      const still = [...failed].filter((name) => !ran.has(name));
      // One that the plan has no more may have run to its end all the same.
      failed = new Set([...still, ...bad.map(({ name }) => name)].filter((name) => names.has(name)));
    },
    follow(next) {
      names = namesOf(next);
      failed = new Set([...failed].filter((name) => names.has(name)));
    },
    last: () => (last ? { ...last, failed: [...failed] } : null),
  };
}

function namesOf({ actions }: Pick<Plan, "actions">): ReadonlySet<string> {
  return new Set(actions.map(({ action }) => action.name));
}
