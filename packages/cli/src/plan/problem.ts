import { BackupError } from "@backup/core";

/** Where something is in a plan file; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Something that is wrong in a plan file. The text holds no value of a secret. */
export interface Problem {
  readonly position: Position;
  readonly text: string;
}

/** More of them help nobody. */
const LIMIT = 20;

/** PLAN_INVALID, and what it says one by one. */
export class PlanInvalid extends BackupError {
  readonly #problems: readonly Problem[];

  constructor(message: string, problems: readonly Problem[]) {
    super("PLAN_INVALID", message);
    this.#problems = problems;
  }

  get problems(): readonly Problem[] {
    return this.#problems;
  }
}

/** All of it as one error, one line for each, in the file's order; `limit` lines at most. */
export function planInvalid(file: string, problems: readonly Problem[], limit = LIMIT): PlanInvalid {
  const sorted = problems.toSorted(({ position: a }, { position: b }) => a.line - b.line || a.column - b.column);
  const lines = sorted.map(({ position: { line, column }, text }) => `${file}:${line}:${column}: ${text}`);
  // What is wrong in `defaults` is found again for every action.
  const unique = [...new Set(lines)];
  const rest = unique.length - limit;
  const shown = rest > 0 ? [...unique.slice(0, limit), `${file}: and ${rest} more`] : unique;
  return new PlanInvalid(shown.join("\n"), problems);
}
