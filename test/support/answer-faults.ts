import { literalOf } from "./answer-reader.js";

/** The whole answer to a command, as the server gave it. */
export interface Answer {
  /** Empty for the greeting. */
  readonly tag: string;
  /** Untagged lines with their literals. */
  readonly rows: readonly Buffer[];
  /** The tagged line; of the greeting, nothing. */
  readonly end: Buffer;
}

/** What the client gets in its place, and what becomes of the connection. */
export interface Struck {
  readonly bytes: Buffer;
  /** `cut`: gone. `end`: an orderly end. `stall`: open, and silent for ever. `flood`: these bytes again and again. */
  readonly after: "go on" | "cut" | "end" | "stall" | "flood";
}

export type AnswerFault = (answer: Answer) => Struck;

const NOTHING = Buffer.alloc(0);
const GARBAGE = Buffer.from("* 1 FETCH (UID (((\r\n");
const TRASH = Buffer.from('* garbage (((\r\n* 1 FETCH (\r\nx\r\n* OK [\r\n* "\r\n\r\n');
/** As large as a client of ours takes one. */
const LITERAL = Buffer.concat([
  Buffer.from("* 1 FETCH (UID 4294967295 BODY[] {31000000}\r\n"),
  Buffer.alloc(31_000_000, "x"),
  Buffer.from(")\r\n"),
]);
const BYE = Buffer.from("* BYE shutting down\r\n");

/** Every way in which the answer to a command goes wrong. */
export const ANSWER_FAULTS = {
  "cut before": () => ({ bytes: NOTHING, after: "cut" }),
  "cut in the middle": (answer) => ({ bytes: half(answer), after: "cut" }),
  "cut at the end": ({ rows }) => ({ bytes: Buffer.concat(rows), after: "cut" }),
  bye: () => ({ bytes: BYE, after: "end" }),
  "bye in the middle": (answer) => ({ bytes: Buffer.concat([...firstRows(answer), BYE]), after: "end" }),
  no: (answer) => ({ bytes: status(answer, "NO not now"), after: "go on" }),
  "no in the middle": (answer) => ({
    bytes: Buffer.concat([...firstRows(answer), status(answer, "NO not now")]),
    after: "go on",
  }),
  bad: (answer) => ({ bytes: status(answer, "BAD what?"), after: "go on" }),
  stall: () => ({ bytes: NOTHING, after: "stall" }),
  "stall in the middle": (answer) => ({ bytes: half(answer), after: "stall" }),
  "garbage row": (answer) => ({ bytes: Buffer.concat([...oneBroken(answer), answer.end]), after: "go on" }),
  "garbage rows": ({ rows, end }) => ({ bytes: Buffer.concat([...rows.map(() => GARBAGE), end]), after: "go on" }),
  "garbage at first": ({ rows, end }) => ({ bytes: Buffer.concat([TRASH, ...rows, end]), after: "go on" }),
} as const satisfies Readonly<Record<string, AnswerFault>>;

/** Answers that never end. */
export const ENDLESS_FAULTS = {
  "an endless line": () => ({ bytes: Buffer.alloc(64 * 1024, "x"), after: "flood" }),
  "literals for ever": () => ({ bytes: LITERAL, after: "flood" }),
  "garbage for ever": () => ({ bytes: Buffer.concat(Array.from({ length: 1000 }, () => GARBAGE)), after: "flood" }),
  "trash for ever": () => ({ bytes: Buffer.concat(Array.from({ length: 500 }, () => TRASH)), after: "flood" }),
  "rows for ever": ({ rows }) => ({ bytes: Buffer.concat(rows), after: "flood" }),
  "kind words for ever": () => ({ bytes: Buffer.from("* OK still here\r\n".repeat(1000)), after: "flood" }),
} as const satisfies Readonly<Record<string, AnswerFault>>;

/** So much of the answer that what comes is broken off: in its largest literal, where it has one. */
function half({ rows, end }: Answer): Buffer {
  const largest = rows.map(literalOf).reduce(
    (best, found, at) => {
      const length = found === undefined ? 0 : found.end - found.start;
      return length > best.length ? { at, length } : best;
    },
    { at: -1, length: 0 },
  );
  const row = rows[largest.at];
  if (row)
    return Buffer.concat([...rows.slice(0, largest.at), row.subarray(0, row.length - Math.ceil(largest.length / 2))]);
  const all = Buffer.concat([...rows, end]);
  return all.subarray(0, Math.floor(all.length / 2));
}

function firstRows({ rows }: Answer): readonly Buffer[] {
  return rows.slice(0, Math.floor(rows.length / 2));
}

function status({ tag }: Answer, text: string): Buffer {
  return Buffer.from(`${tag || "*"} ${text}\r\n`);
}

/** Its middle row cannot be read. */
function oneBroken({ rows }: Answer): readonly Buffer[] {
  const middle = Math.floor(rows.length / 2);
  return [...rows.slice(0, middle), GARBAGE, ...rows.slice(middle + 1)];
}
