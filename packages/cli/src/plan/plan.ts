import type { PluginRegistry } from "@backup/core";
import type { Action } from "../action.js";
import type { Hooks } from "../hooks.js";
import type { ReportSettings } from "../reports/reporter.js";
import type { TurnLimits } from "../turns.js";

/** When an action runs by itself. */
export interface Schedule {
  /** Five fields of crontab(5), or six with seconds first, or a nickname as `@daily`. */
  readonly cron: string;
  /** IANA name (`Europe/Berlin`); default: that of the machine. */
  readonly timeZone?: string | undefined;
  /** A random time up to this is waited besides, milliseconds. */
  readonly jitterMs: number;
}

/** What the plan says of one action, for whoever runs it elsewhere. */
export interface PlanExcerpt {
  readonly defaults: Readonly<Record<string, unknown>>;
  readonly actions: readonly [Readonly<Record<string, unknown>>];
}

export interface PlannedAction {
  readonly action: Action;
  /** Undefined: only when somebody runs the plan. */
  readonly schedule?: Schedule | undefined;
  readonly hooks: Hooks;
}

/** One as a file has it. */
export interface WrittenAction extends PlannedAction {
  /** A plan of this action alone. */
  readonly excerpt: PlanExcerpt;
}

/** What a plan file says, checked, and what carries it out. */
export interface Plan<A extends PlannedAction = PlannedAction> extends PlanContent<A> {
  /** What comes along, what the command names, and what the plan does. */
  readonly plugins: PluginRegistry;
}

/** What a plan file says, checked. */
export interface PlanContent<A extends PlannedAction = PlannedAction> {
  readonly file: string;
  readonly limits: TurnLimits;
  readonly reports: ReportSettings;
  /** Around all actions of a run. */
  readonly hooks: Hooks;
  /** At least one; no two with the same name or destination. */
  readonly actions: readonly A[];
}
