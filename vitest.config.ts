import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { CountReporter } from "./test/support/count-reporter.js";
import { LongestFirst } from "./test/support/longest-first.js";

export default defineConfig({
  resolve: {
    // Tests run the sources: no build is needed, and coverage and stack traces point at them.
    alias: [
      {
        find: /^@backup\/core\/testing$/,
        replacement: fileURLToPath(new URL("packages/core/src/testing/index.ts", import.meta.url)),
      },
      // `@backup/imap/server` is packages/imap/src/server.ts.
      {
        find: /^@backup\/([\w-]+)\/([\w-]+)$/,
        replacement: fileURLToPath(new URL("packages/$1/src/$2.ts", import.meta.url)),
      },
      { find: /^@backup\/([\w-]+)$/, replacement: fileURLToPath(new URL("packages/$1/src/index.ts", import.meta.url)) },
    ],
  },
  test: {
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"],
    setupFiles: ["test/support/to-exit.ts"],
    // Real servers on shared machines: slow is no failure, hanging is.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 60_000 } },
    // More than there are processors: half of the time they wait, for a server or for a second to be over.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    reporters: ["default", new CountReporter()],
    coverage: { include: ["packages/*/src/**/*.ts"] },
  },
});
