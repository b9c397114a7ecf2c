import type { Options } from "yargs";

/** Options of every command. */
export const COMMON_OPTIONS = {
  json: { type: "boolean", default: false, describe: "Print one event a line as JSON" },
  quiet: { alias: "q", type: "boolean", default: false, describe: "Print what is wrong only" },
  plugin: {
    type: "string",
    array: true,
    requiresArg: true,
    describe: "Load this plugin too: a package, or a file as ./notes.mjs; repeatable",
  },
  verbose: { alias: "v", type: "boolean", default: false, describe: "Print every folder" },
} as const satisfies Record<string, Options>;
