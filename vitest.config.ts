import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { CountReporter } from "./test/support/count-reporter.js";
import { LongestFirst } from "./test/support/longest-first.js";

function source(path: string): string {
  return fileURLToPath(new URL(`packages/${path}/index.ts`, import.meta.url));
}

export default defineConfig({
  resolve: {
    // Tests run the sources: no build is needed, and coverage and stack traces point at them.
    alias: [
      { find: /^@backup\/core$/, replacement: source("core/src") },
      { find: /^@backup\/core\/testing$/, replacement: source("core/src/testing") },
      { find: /^@backup\/file$/, replacement: source("file/src") },
      { find: /^@backup\/imap$/, replacement: source("imap/src") },
      { find: /^@backup\/imap\/server$/, replacement: source("imap/src").replace("index", "server") },
      { find: /^@backup\/mail$/, replacement: source("mail/src") },
      { find: /^@backup\/transport-rsync$/, replacement: source("transport-rsync/src") },
      {
        find: /^@backup\/transport-rsync\/remote$/,
        replacement: source("transport-rsync/src").replace("index", "remote"),
      },
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
