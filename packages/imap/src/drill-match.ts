import type { Row } from "./fetch-rows.js";
import type { StoredMessage } from "./restore-messages.js";

/** What of a message is compared. */
export interface Traits {
  readonly digest: string;
  /** INTERNALDATE, seconds since 1970. */
  readonly seconds: number;
  /** Flags and keywords, in any order. */
  readonly flags: readonly string[];
}

/**
 * What is wrong with each message that was sent, in their order, by those that came back; undefined: nothing. The one that
 * is most like it is taken for it, each once.
 */
export function wrongIn(sent: readonly Traits[], returned: readonly Traits[]): readonly (string | undefined)[] {
  const left = [...returned];
  const found: (Traits | undefined)[] = sent.map(() => undefined);
  for (const isLike of [isSame, hasSameBytes, hasSameDate])
    for (const [index, one] of sent.entries()) {
      const at = found[index] ? -1 : left.findIndex((each) => isLike(one, each));
      if (at >= 0) [found[index]] = left.splice(at, 1);
    }
  return sent.map((one, index) => whatIsWrong(one, found[index]));
}

/**
 * UIDs of a folder's messages that are none of these: each has the date of one, or, where a server does not keep that date,
 * the size of one.
 */
export function strangersAmong(rows: readonly Row[], messages: readonly StoredMessage[]): readonly number[] {
  const left = new Set(messages);
  const strangers: number[] = [];
  for (const { uid, size, internalDate } of rows) {
    const seconds = secondsOf(internalDate);
    const own = [...left].find((one) => one.seconds === seconds) ?? [...left].find((one) => one.size === size);
    if (own) left.delete(own);
    else strangers.push(uid);
  }
  return strangers;
}

/** Not a number where the server does not tell. */
export function secondsOf(internalDate: Row["internalDate"]): number {
  return Math.floor(new Date(internalDate ?? Number.NaN).getTime() / 1000);
}

function whatIsWrong(one: Traits, other: Traits | undefined): string | undefined {
  if (!other) return "did not come back from the server";
  if (!hasSameBytes(one, other)) return "came back with other bytes: the server changed it";
  if (!hasSameDate(one, other)) return `came back with the date ${dayOf(other)}, and has ${dayOf(one)}`;
  if (!isSame(one, other)) return `came back with the flags ${listOf(other)}, and has ${listOf(one)}`;
  return undefined;
}

function isSame(one: Traits, other: Traits): boolean {
  return hasSameBytes(one, other) && hasSameDate(one, other) && keyOf(one) === keyOf(other);
}

function hasSameBytes({ digest }: Traits, other: Traits): boolean {
  return digest === other.digest;
}

function hasSameDate({ seconds }: Traits, other: Traits): boolean {
  return seconds === other.seconds;
}

/** Flags have no case (RFC 9051, section 2.3.2), and `\Recent` is none of a message's own. */
function keyOf({ flags }: Traits): string {
  const names = flags.map((flag) => flag.toLowerCase()).filter((flag) => flag !== "\\recent");
  return [...new Set(names)].toSorted().join(" ");
}

function listOf({ flags }: Traits): string {
  return flags.length > 0 ? flags.join(" ") : "(none)";
}

function dayOf({ seconds }: Traits): string {
  return Number.isNaN(seconds) ? "(none)" : new Date(seconds * 1000).toISOString();
}
