import { test } from "vitest";
import { roundsOf } from "./support/rounds.js";
import { soak } from "./support/soak/soak.js";

/** What `npm run soak` was asked for, as JSON; otherwise a short one of each server. */
const asked = process.env["SOAK"];
const SHORT = { seed: 7, rounds: roundsOf(8), remote: false } as const;
const SOAKS: readonly Omit<Parameters<typeof soak>[0], "say">[] =
  asked === undefined
    ? [
        { ...SHORT, server: "dovecot" },
        { ...SHORT, server: "cyrus", rounds: roundsOf(3) },
      ]
    : [JSON.parse(asked)];

test.each(SOAKS)(
  "a soak of $rounds rounds against $server",
  async (options) => {
    await soak({ ...options, say: asked === undefined ? () => {} : (line) => void process.stdout.write(`${line}\n`) });
  },
  asked === undefined ? 900_000 : 0,
);
