import type { Reporter, SerializedError, TestModule } from "vitest/node";

/** Prints `tests: N passed, N failed, N skipped` as the very last line: the line that CI counts. */
export class CountReporter implements Reporter {
  #line: string | undefined;

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    // When the process ends: other reporters and the coverage print after this hook.
    if (this.#line === undefined) process.once("exit", () => process.stdout.write(`${this.#line}\n`));
    this.#line = countLine(modules, unhandled);
  }
}

function countLine(modules: readonly TestModule[], unhandled: readonly SerializedError[]): string {
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const module of modules) {
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      // A test that never came to a result (the run was broken off) did not pass.
      count[state === "pending" ? "failed" : state]++;
    }
    // A file that cannot be loaded, or a hook that failed, has no test that says so.
    count.failed += module.errors().length;
    for (const suite of module.children.allSuites()) count.failed += suite.errors().length;
  }
  count.failed += unhandled.length;
  return `tests: ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`;
}
