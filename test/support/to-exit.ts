import { expect } from "vitest";
import type { Result } from "./command.js";

declare module "vitest" {
  // oxlint-disable-next-line typescript/no-explicit-any -- vitest declares it so, and both must agree
  interface Matchers<T = any> {
    /** The command ended with this exit code; what it said otherwise is part of the failure. */
    toExit: (code: number | null) => T;
  }
}

/** The end of a long output says why it ended. */
const SHOWN = 4000;

expect.extend({
  toExit(result: Result, code: number | null) {
    const { code: found, signal, stdout, stderr } = result;
    const said = `stderr: ${stderr.slice(-SHOWN)}\nstdout: ${stdout.slice(-SHOWN)}`;
    return {
      pass: this.equals(found, code),
      message: () =>
        `exit ${found}${signal ? ` (${signal})` : ""}, expected ${this.isNot ? "not " : ""}${code}\n${said}`,
    };
  },
});
