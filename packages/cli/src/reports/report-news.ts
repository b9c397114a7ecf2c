import { changedSomething } from "../render/run-news.js";
import type { SessionResult } from "../result.js";
import type { Reporter } from "./reporter.js";

/** Whoever waits for a report gets one after this time, milliseconds; a little less than an hour, after which there is a run. */
const AT_LEAST_MS = 59 * 60_000;

/** Runs that follow one another all day are reported when they did something, ended in another way, or each hour. */
export class ReportNews {
  #reported: { readonly outcome: string; readonly at: number } | undefined;
  readonly #now: () => number;

  /** @param now milliseconds; never goes back */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The reporters for a run, which hear of its end alone, and of that if it is news. */
  readonly select = (reporters: readonly Reporter[]): readonly Reporter[] =>
    reporters.map((reporter) => ({
      name: reporter.name,
      ended: async (result, signal) => {
        if (this.#isNews(result)) await reporter.ended(result, signal);
      },
    }));

  /** After all of them have heard of it. */
  note(result: SessionResult): void {
    if (this.#isNews(result)) this.#reported = { outcome: result.outcome, at: this.#now() };
  }

  #isNews({ outcome, actions }: SessionResult): boolean {
    const last = this.#reported;
    if (last?.outcome !== outcome || this.#now() - last.at >= AT_LEAST_MS) return true;
    return actions.some(({ report }) => report && changedSomething(report));
  }
}
