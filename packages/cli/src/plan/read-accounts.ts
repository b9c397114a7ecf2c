import { parse } from "csv-parse/sync";
import { BackupError } from "@backup/core";
import { ACTION_OPTIONS } from "../action-options.js";
import type { ActionOption, ActionType } from "../types/action-type.js";
import { typesOf } from "../types/type-of-plugin.js";
import { isDry } from "../dry-run.js";
import { planMaker } from "./make-plan.js";
import { planKey } from "./plan-key.js";
import type { Plan, WrittenAction } from "./plan.js";
import { PlanInvalid, type Problem, planInvalid } from "./problem.js";
import type { ReadPlanOptions } from "./read-plan.js";
import { type TextFile, readText } from "./read-text.js";
import type { PlanSource } from "./source.js";

export interface ReadAccountsOptions extends ReadPlanOptions {
  /** Rows that are wrong are left out, and this is told of each; undefined: they are an error. */
  readonly onBad?: ((line: string) => void) | undefined;
}

interface Row {
  /** Of the file, from 1. */
  readonly line: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Of the size of about a million accounts at most. */
const ACCOUNTS: TextFile = {
  what: "list of accounts",
  limit: 256 * 1024 * 1024,
  hint: "its first line is as user,destination,server",
};

/**
 * Reads accounts of a CSV file (RFC 4180): the first line names the columns, which are keys of a plan's actions; `type`
 * is imap where it is left out. What is empty is not said. A list has `;` between its entries.
 * @throws BackupError PLAN_INVALID with the line of every row that is wrong, USAGE for a file that cannot be read
 */
export async function readAccounts(file: string, options: ReadAccountsOptions): Promise<Plan<WrittenAction>> {
  const { plugins, onBad } = options;
  const dryRun = isDry(options, options.env);
  const types = typesOf(plugins);
  const text = await readText(file, ACCOUNTS);
  const { rows, problems } = parseRows(file, text, types);
  const make = planMaker(types);
  const planOf = (good: readonly Row[]): Plan<WrittenAction> => ({
    ...make({ file, dryRun, source: sourceOf(good) }),
    plugins,
  });
  const { plan, problems: more = [] } = rows.length === 0 ? {} : attempt(() => planOf(rows));
  const found = [...problems, ...more];
  if (plan && found.length === 0) return plan;
  if (found.length === 0) throw planInvalid(file, [wrong(1, "there are no accounts below the names of the columns")]);
  const all = planInvalid(file, found, Number.POSITIVE_INFINITY);
  if (!onBad) throw all;
  for (const line of all.message.split("\n")) onBad(line);
  const bad = new Set(found.map(({ position }) => position.line));
  const good = rows.filter(({ line }) => !bad.has(line));
  if (good.length === 0) throw new BackupError("PLAN_INVALID", `${file}: no account is left`);
  return planOf(good);
}

interface Attempt {
  readonly plan?: Plan<WrittenAction>;
  /** What is wrong with it. */
  readonly problems?: readonly Problem[];
}

function attempt(make: () => Plan<WrittenAction>): Attempt {
  try {
    return { plan: make() };
  } catch (error) {
    if (error instanceof PlanInvalid) return { problems: error.problems };
    throw error;
  }
}

interface Parsed {
  readonly rows: readonly Row[];
  readonly problems: readonly Problem[];
}

function parseRows(file: string, text: string, types: readonly ActionType<never>[]): Parsed {
  const records = recordsOf(file, text);
  const columns = (records.shift()?.record ?? []).map((name) => name.trim());
  const kinds = kindsOf(types);
  const unknown = columns.filter((name) => !kinds.has(name));
  if (unknown.length > 0 || !columns.includes("destination"))
    return { rows: [], problems: [wrong(1, headerText(unknown, kinds))] };
  const problems: Problem[] = [];
  const rows: Row[] = [];
  for (const { record, info } of records) {
    if (record.length === columns.length) rows.push({ line: info.lines, fields: fieldsOf(columns, record, kinds) });
    else problems.push(wrong(info.lines, `${record.length} columns, and the first line names ${columns.length}`));
  }
  return { rows, problems };
}

interface CsvRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

function recordsOf(file: string, text: string): CsvRecord[] {
  try {
    return parse(text, { info: true, bom: true, skip_empty_lines: true, relax_column_count: true }) as never;
  } catch (error) {
    if (!(error instanceof Error) || !("lines" in error)) throw error;
    throw planInvalid(file, [wrong(Number(error.lines), `no CSV: ${error.message}`)]);
  }
}

type Kind = Pick<ActionOption, "type" | "array">;

/** What each column may hold, by the options of all types and destinations. */
function kindsOf(types: readonly ActionType<never>[]): ReadonlyMap<string, Kind> {
  const words = types.flatMap(({ positionals }) => positionals.map(({ name }) => planKey(name)));
  const options = types.flatMap((type) =>
    Object.entries<ActionOption>({ ...type.options, ...type.destinations.options }),
  );
  const text: Kind = { type: "string" };
  return new Map<string, Kind>([
    ...Object.entries<ActionOption>(ACTION_OPTIONS),
    ...options,
    ...["type", "name", ...words].map((name) => [name, text] as const),
  ]);
}

function headerText(unknown: readonly string[], kinds: ReadonlyMap<string, unknown>): string {
  if (unknown.length === 0) return "the first line names the columns, and none of them is 'destination'";
  const known = ["type", "user", "destination", "server"].filter((name) => kinds.has(name)).join(",");
  return `the first line names the columns, and there is none called '${unknown[0] ?? ""}'; it is one as ${known}`;
}

function fieldsOf(columns: readonly string[], record: readonly string[], kinds: ReturnType<typeof kindsOf>) {
  const fields: Record<string, unknown> = { type: "imap" };
  for (const [index, name] of columns.entries()) {
    const text = record[index]?.trim() ?? "";
    if (text !== "") fields[name] = valueOf(text, kinds.get(name));
  }
  return fields;
}

/** What the schema does not allow stays as it was written, for its message. */
function valueOf(text: string, kind: Kind | undefined): unknown {
  if (kind?.array) return text.split(";").map((entry) => entry.trim());
  if (kind?.type === "boolean" && (text === "true" || text === "false")) return text === "true";
  if (kind?.type === "number" && text !== "" && Number.isFinite(Number(text))) return Number(text);
  return text;
}

function sourceOf(rows: readonly Row[]): PlanSource {
  return {
    value: { actions: rows.map(({ fields }) => fields) },
    position: ([, index]) => ({ line: rows[Number(index)]?.line ?? 1, column: 1 }),
  };
}

function wrong(line: number, text: string): Problem {
  return { position: { line, column: 1 }, text };
}
