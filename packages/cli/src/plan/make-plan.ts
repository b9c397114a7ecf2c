import { PluginRegistry } from "@backup/core";
import { toRetention } from "../retention-options.js";
import type { ActionType } from "../types/action-type.js";
import { actionArguments } from "./action-arguments.js";
import { argumentProblems } from "./check-arguments.js";
import { type Claim, collisions } from "./check-collisions.js";
import { reportProblems } from "./check-reports.js";
import { retentionOf, retentionProblems } from "./check-retention.js";
import { scheduleProblems } from "./check-schedule.js";
import { parseDuration } from "./duration.js";
import { makeAction } from "./make-action.js";
import type { Path } from "./node-offset.js";
import type { ActionFields, PlanFile, ScheduleFields } from "./plan-file.js";
import type { PlanContent, PlanExcerpt, Schedule, WrittenAction } from "./plan.js";
import { type Problem, planInvalid } from "./problem.js";
import { reportSettings } from "./report-settings.js";
import { type SchemaCheck, type SchemaProblem, schemaCheck } from "./schema-problems.js";
import { type PlanSource, parseSource } from "./source.js";
import { toHooks } from "./to-hooks.js";

interface PlanInput {
  /** For messages. */
  readonly file: string;
  readonly dryRun: boolean;
}

export interface PlanText extends PlanInput {
  readonly text: string;
}

/** What was read of a file in another form. */
export interface PlanParsed extends PlanInput {
  readonly source: PlanSource;
}

/** Makes what makes plans of texts, for these types of actions. @throws BackupError PLAN_INVALID for a text */
export function planMaker(
  types: readonly ActionType<never>[],
  plugins: PluginRegistry = new PluginRegistry([]),
): (plan: PlanText | PlanParsed) => PlanContent<WrittenAction> {
  const check = schemaCheck(types, plugins.notifiers);
  return (plan) => {
    const parsed = "text" in plan ? { ...plan, source: parseSource(plan.file, plan.text) } : plan;
    return makePlan(parsed, { types, check, plugins });
  };
}

interface Means {
  readonly types: readonly ActionType<never>[];
  readonly check: SchemaCheck;
  /** Whose notifiers may be asked for. */
  readonly plugins: PluginRegistry;
}

function makePlan({ file, source, dryRun }: PlanParsed, { types, check, plugins }: Means): PlanContent<WrittenAction> {
  const misfits = check(source);
  // Nothing more can be said of what is no plan at all.
  if (!isPlan(source.value)) throw planInvalid(file, misfits);
  const plan = source.value;

  const misfit = new Set(misfits.flatMap(({ path: [top, index] }) => (top === "actions" ? [index] : [])));
  const isWhole = misfit.has(undefined) || !fits(misfits, ["defaults"]);
  const read = plan.actions.map((fields, index) =>
    readAction({ source, plan, fields, index, types, dryRun, isMisfit: isWhole || misfit.has(index) }),
  );
  const problems = [
    ...misfits,
    ...scheduleProblems(source, plan, []),
    ...(fits(misfits, ["reports"]) ? reportProblems(source, plan.reports ?? {}, plugins) : []),
    ...read.flatMap((action) => action.problems),
    ...collisions(
      source,
      read.flatMap(({ claim }) => claim ?? []),
    ),
  ];
  if (problems.length > 0) throw planInvalid(file, problems);
  return {
    file,
    limits: { concurrency: plan.concurrency ?? 2, perHost: plan["connections-per-host"] ?? 2 },
    reports: reportSettings(plan.reports ?? {}, plugins),
    hooks: toHooks(plan),
    actions: read.flatMap(({ planned }) => planned ?? []),
  };
}

interface ReadActionOptions extends Pick<PlanInput, "dryRun"> {
  readonly types: readonly ActionType<never>[];
  readonly source: PlanSource;
  readonly plan: PlanFile;
  readonly fields: unknown;
  readonly index: number;
  /** The schema does not allow it, or what it is made of. */
  readonly isMisfit: boolean;
}

interface ReadAction {
  readonly problems: readonly Problem[];
  readonly claim?: Claim;
  /** If nothing is wrong. */
  readonly planned?: WrittenAction;
}

function readAction({ source, plan, fields, index, types, isMisfit, dryRun }: ReadActionOptions): ReadAction {
  if (!isMapping(fields)) return { problems: [] };
  const { destination } = fields;
  const claimOf = (name?: string): Pick<ReadAction, "claim"> =>
    typeof destination === "string" && destination !== "" ? { claim: { index, destination, name } } : {};
  const wrongTimes = scheduleProblems(source, fields, ["actions", index]);
  const type = types.find(({ name }) => name === fields.type);
  if (!type || isMisfit) return { problems: wrongTimes, ...claimOf() };

  const given = actionArguments(type, fields, { defaults: plan.defaults ?? {}, dryRun });
  const retained = { plan, fields, index, hist: given.args.hist === true };
  const wrong = [
    ...argumentProblems(source, { index, fields, type, args: given.args }),
    ...retentionProblems(source, retained),
  ];
  if (wrong.length > 0) return { problems: [...wrongTimes, ...wrong], ...claimOf() };
  const retention = retentionOf(retained);
  const action = makeAction(type, given, retention && toRetention(retention));
  const excerpt: PlanExcerpt = { defaults: plan.defaults ?? {}, actions: [fields] };
  const planned = { action, excerpt, schedule: scheduleOf(plan, fields), hooks: toHooks(fields, plan.defaults) };
  return { problems: wrongTimes, ...claimOf(action.name), planned };
}

/** What is not said of an action is as the plan as a whole has it. */
function scheduleOf(plan: ScheduleFields, action: ScheduleFields): Schedule | undefined {
  const { schedule: cron, "time-zone": timeZone, jitter = "0s" } = { ...plan, ...action };
  return cron === undefined ? undefined : { cron, timeZone, jitterMs: parseDuration(jitter) };
}

/** So much of one that its parts can be looked at. */
function isPlan(value: unknown): value is PlanFile {
  return isMapping(value) && "actions" in value && Array.isArray(value.actions);
}

function isMapping(value: unknown): value is ActionFields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether the schema has nothing against what is there, and below. */
function fits(misfits: readonly SchemaProblem[], top: Path): boolean {
  return !misfits.some(({ path }) => top.every((step, at) => path[at] === step));
}
