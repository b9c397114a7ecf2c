import { isBackupError } from "@backup/core";
import fc from "fast-check";
import { describe, it } from "vitest";
import { stringify } from "yaml";
import { EXAMPLE_PLAN } from "../src/plan/example.js";
import { planMaker } from "../src/plan/make-plan.js";
import { planSchema } from "../src/plan/schema.js";
import { ACTION_TYPES, PLUGINS } from "./support/types.js";

const make = planMaker(ACTION_TYPES, PLUGINS);

/** Every line of the error has a place within the file. */
function checkRefusal(text: string): void {
  try {
    make({ file: "plan.yaml", text, dryRun: false });
  } catch (error) {
    if (!isBackupError(error, "PLAN_INVALID")) throw error;
    const lines = text.split("\n");
    for (const message of error.message.split("\n")) {
      if (/^plan\.yaml: and \d+ more$/.test(message)) continue;
      const [, line = "0", column = "0"] = /^plan\.yaml:(\d+):(\d+): \S/.exec(message) ?? [];
      const within = lines[Number(line) - 1];
      // The end of a line, and of the file, is a place too.
      if (within === undefined || Number(column) < 1 || Number(column) > within.length + 1)
        throw new Error(`no such place: ${message}`, { cause: error });
    }
  }
}

const SCHEMA = planSchema(ACTION_TYPES, PLUGINS.notifiers);
const KEYS = [
  ...Object.keys(SCHEMA.properties),
  ...Object.keys(SCHEMA.$defs["action-imap"].properties),
  "mail ping metrics to url file env command __proto__ constructor toString x-a".split(" "),
].flat();
const VALUES: readonly unknown[] = [
  "imap",
  "/a",
  "nas:a",
  "mail.example.org",
  "@daily",
  "10m",
  "UTC",
  "a@b",
  0,
  1,
  -1,
  1e9,
];

describe("whatever a plan holds, it is read or refused with places", () => {
  it("any text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), checkRefusal), { numRuns: 500 });
  });

  it("any text of YAML's characters", () => {
    const unit = fc.constantFrom(...`ab:-,[]{}&*!|>'"%@#?<~\`\\/ 0\n\n\t  `.split(""));
    fc.assert(fc.property(fc.string({ unit, maxLength: 120 }), checkRefusal), { numRuns: 500 });
  });

  it("the example with one part replaced", () => {
    const replacement = fc.oneof(
      fc.string({ maxLength: 10 }),
      fc.constantFrom("&a ", "*a", "\t", "- ", "[", "}", ": ", "!!x ", "\r\n", "---\n"),
    );
    const property = fc.property(fc.nat(EXAMPLE_PLAN.length), fc.nat(8), replacement, (at, length, put) =>
      checkRefusal(EXAMPLE_PLAN.slice(0, at) + put + EXAMPLE_PLAN.slice(at + length)),
    );
    fc.assert(property, { numRuns: 500, examples: [[1038, 0, "}"]] });
  });

  it("any values under the keys that it knows", () => {
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(...VALUES),
        fc.anything({ maxDepth: 1, maxKeys: 2 }).filter((value) => typeof value !== "object"),
        fc.array(tie("tree"), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...KEYS), tie("tree"), { maxKeys: 6 }),
      ),
    }));
    const action = fc.dictionary(fc.constantFrom(...KEYS), tree, { maxKeys: 8 });
    const plan = fc.record({ actions: fc.array(fc.oneof(tree, action), { maxLength: 4 }), rest: action });
    const property = fc.property(plan, ({ actions, rest }) => {
      const typed = actions.map((one) => (typeof one === "object" && one !== null ? { type: "imap", ...one } : one));
      checkRefusal(stringify({ ...rest, actions: typed }, { aliasDuplicateObjects: false }));
    });
    fc.assert(property, { numRuns: 500 });
  });
});
