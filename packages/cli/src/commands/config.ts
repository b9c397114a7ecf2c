import { EXIT } from "../exit-code.js";
import type { Plan } from "../plan/plan.js";
import { rendererFor } from "../render/renderer-for.js";
import { formatCount, jsonLine, printable } from "../render/text.js";
import { typesOf } from "../types/type-of-plugin.js";
import type { CommandContext, Subcommand } from "./subcommand.js";

interface CheckArguments {
  readonly file: string;
}

export const configCheckCommand: Subcommand<CheckArguments> = {
  name: "config check",
  summary: "say whether a plan file is right, and when its actions run next",
  positionals: [{ name: "file", describe: "Plan file" }],
  options: {},
  examples: [["backup config check plan.yaml", "each mistake with its line and column; exit status 2 if there is one"]],
  run: checkPlan,
};

export const configExampleCommand: Subcommand<object> = {
  name: "config example",
  summary: "print a plan file to begin with",
  positionals: [],
  options: {},
  examples: [["backup config example > plan.yaml", "then put your accounts into it"]],
  async run() {
    const { EXAMPLE_PLAN } = await import("../plan/example.js");
    process.stdout.write(EXAMPLE_PLAN);
    return EXIT.done;
  },
};

export const configSchemaCommand: Subcommand<object> = {
  name: "config schema",
  summary: "print the JSON Schema of plan files, for editors",
  positionals: [],
  options: {},
  examples: [["backup config schema > plan.schema.json", "an editor completes and checks plans with it"]],
  async run(_args, { plugins }) {
    const { planSchema } = await import("../plan/schema.js");
    process.stdout.write(`${JSON.stringify(planSchema(typesOf(plugins), plugins.notifiers), undefined, 2)}\n`);
    return EXIT.done;
  },
};

async function checkPlan({ file }: CheckArguments, context: CommandContext): Promise<number> {
  const { env, json, quiet, plugins, signal } = context;
  // Loaded when used: it costs start-up time.
  const { readPlan } = await import("../plan/read-plan.js");
  const plan = await readPlan(file, { dryRun: false, env, plugins, signal });
  const warnings = await warn(plan, context);
  const rows = await describe(plan);
  if (json) process.stdout.write(jsonLine({ type: "plan", file, actions: rows }));
  else if (!quiet) process.stdout.write(`${format(file, rows, warnings).map(printable).join("\n")}\n`);
  return EXIT.done;
}

/** Warns of what is missing on this machine, which need not be the one that runs the plan; resolves to how much it is. */
async function warn({ actions, plugins }: Plan, context: CommandContext): Promise<number> {
  const renderer = rendererFor(context);
  let warnings = 0;
  for (const { action } of actions)
    for (const { code, message } of (await action.problems?.({ ...context, plugins, onEvent: () => {} })) ?? []) {
      warnings++;
      renderer.event({ type: "warning", code, message: `${action.name}: ${message}` });
    }
  renderer.close();
  return warnings;
}

interface Row {
  readonly name: string;
  readonly type: string;
  readonly destination: string;
  /** When it runs next, apart from its jitter, as its time zone has it. */
  readonly next?: string;
}

async function describe({ actions }: Plan): Promise<readonly Row[]> {
  const { formatTime, nextRun } = await import("../schedule.js");
  return actions.map(({ action: { name, type, destination }, schedule }) => {
    const next = schedule && nextRun(schedule, Date.now());
    return { name, type, destination, ...(next === undefined ? {} : { next: formatTime(next, schedule?.timeZone) }) };
  });
}

function format(file: string, rows: readonly Row[], warnings: number): readonly string[] {
  const width = Math.max(...rows.map(({ name }) => name.length));
  const times = rows.map(
    ({ name, next }) => `  ${name.padEnd(width)}  ${next === undefined ? "no schedule" : `next run ${next}`}`,
  );
  const isScheduled = rows.some(({ next }) => next !== undefined);
  const result = warnings === 0 ? "all is well" : `nothing wrong in it, ${formatCount(warnings, "warning")}`;
  return [`${file}: ${formatCount(rows.length, "action")}, ${result}`, ...(isScheduled ? times : [])];
}
