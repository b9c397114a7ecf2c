// npm run soak [-- options]: changes, disasters and comparisons for many rounds; see USAGE.
import { parseArgs } from "node:util";
import { build } from "./support/build.mjs";
import { localBin } from "./support/local-bin.mjs";

const USAGE = `npm run soak -- [--rounds N] [--seed N] [--minutes M] [--server dovecot|cyrus] [--remote]
Lets an account change at random, kills the runs or cuts their lines, and compares the backup with the server after each.`;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "1000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    minutes: { type: "string" },
    server: { type: "string", default: "dovecot" },
    remote: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const { server, remote, help } = values;
const [rounds, seed, minutes] = [Number(values.rounds), Number(values.seed), Number(values.minutes ?? 1e6)];
const isWrong = ![rounds, minutes].every((number) => number > 0) || !Number.isInteger(seed);
if (help || isWrong || !["dovecot", "cyrus"].includes(server)) {
  console.log(USAGE);
  process.exitCode = help ? 0 : 2;
} else {
  process.env["SOAK"] = JSON.stringify({ rounds, seed, minutes, server, remote });
  await build();
  process.exitCode = await localBin("vitest", ["run", "test/soak.test.ts"]);
}
