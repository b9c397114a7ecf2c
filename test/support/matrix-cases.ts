import { ANSWER_FAULTS } from "./answer-faults.js";
import type { FaultName } from "./matrix-commands.js";
import { seededRandom } from "./random.js";

/** A kind of run, through whose every command faults are driven. */
export interface Scenario {
  readonly name: string;
  readonly server: "dovecot" | "cyrus";
  /** Of a destination that is empty, or of one whose account has changed in all sorts of ways. */
  readonly run: "first" | "incremental";
  readonly connections: number;
  readonly security?: "tls" | "starttls";
  /** Capabilities that the server has and the client does not get to see. */
  readonly hidden?: readonly string[];
  /** The connection is cut at the first such command, whatever happens else. */
  readonly loses?: string;
}

export const SCENARIOS: readonly Scenario[] = [
  { name: "an incremental run", server: "dovecot", run: "incremental", connections: 1 },
  { name: "a first run", server: "dovecot", run: "first", connections: 1 },
  { name: "a run with several connections", server: "dovecot", run: "first", connections: 3 },
  { name: "a run by STARTTLS", server: "dovecot", run: "first", connections: 1, security: "starttls" },
  {
    name: "an incremental run that is cut off once",
    server: "dovecot",
    run: "incremental",
    connections: 1,
    loses: "UID FETCH of the listing",
  },
  {
    name: "an incremental run by plain means",
    server: "dovecot",
    run: "incremental",
    connections: 1,
    hidden: ["AUTH=PLAIN", "AUTH=LOGIN", "SASL-IR", "LIST-STATUS", "LIST-EXTENDED", "NAMESPACE", "QRESYNC"],
  },
  { name: "an incremental run against Cyrus", server: "cyrus", run: "incremental", connections: 4 },
];

/** One fault at one command of one kind of run. */
export interface Case {
  /** What is printed when it fails, and what `TEST_MATRIX` finds it by. */
  readonly name: string;
  readonly scenario: Scenario;
  readonly command: string;
  /** At which of the commands of that name, from 0. */
  readonly at: number;
  readonly fault: FaultName;
}

const FAULTS = Object.keys(ANSWER_FAULTS) as readonly FaultName[];

/** Names of the commands that a good run sent, in their order. */
export type Recordings = ReadonlyMap<Scenario, readonly string[]>;

/**
 * Every fault at every command of every kind of run, in an order that makes any part of them a mixed one. That order, and
 * which of several such commands it is, are drawn, always the same.
 */
export function allCases(recordings: Recordings): readonly Case[] {
  const random = seededRandom(1);
  const cases = [...recordings].flatMap(([scenario, sent]) =>
    [...new Set(sent)].flatMap((command) => {
      const count = sent.filter((one) => one === command).length;
      return FAULTS.map((fault): Case => {
        const at = random.below(count);
        return { name: `${scenario.name}: ${fault} at ${command} ${at + 1}`, scenario, command, at, fault };
      });
    }),
  );
  const drawn = cases.map((one) => ({ one, key: random.next() }));
  return drawn.toSorted((a, b) => a.key - b.key).map(({ one }) => one);
}

/** Every fault at every command once: the kinds of run that send it take turns. */
export function onceEach(cases: readonly Case[]): readonly Case[] {
  const alike = new Map<string, Case[]>();
  for (const one of cases) {
    const pair = `${one.fault} at ${one.command}`;
    alike.set(pair, [...(alike.get(pair) ?? []), one]);
  }
  return [...alike.values()].flatMap((few, index) => few[index % few.length] ?? []);
}
