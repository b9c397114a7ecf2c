import { BackupError, parseSize } from "@backup/core";
import { type Header, fold } from "@backup/mail";
import picomatch from "picomatch";
import { FLAGS, type StoredMessage } from "./stored-message.js";

/** What to look for; all of it must be so of a message. */
export interface Query {
  /** Of the folder's name. */
  readonly folders: readonly ((name: string) => boolean)[];
  /** Of what the file's name says. */
  readonly facts: readonly ((message: StoredMessage) => boolean)[];
  /** Of the header. */
  readonly fields: readonly ((header: Header) => boolean)[];
  /** Folded; each in the header or in the text. */
  readonly words: readonly string[];
  /** Only messages with an attachment. */
  readonly attachment: boolean;
}

/** One term's part of a query. */
type Part = Partial<Query>;

/** Terms by what is before their colon. */
const TERMS: Readonly<Record<string, (value: string, term: string) => Part>> = {
  from: field("from"),
  to: field("to"),
  cc: field("cc"),
  subject: (value) => ({ fields: [(header) => fold(header.text("subject")).includes(fold(value))] }),
  since: (value, term) => {
    const { from } = readDay(value, term);
    return { facts: [({ date }) => date >= from] };
  },
  before: (value, term) => {
    const { from } = readDay(value, term);
    return { facts: [({ date }) => date < from] };
  },
  folder: (value) => ({ folders: [picomatch(value, { dot: true })] }),
  larger: (value, term) => {
    const bytes = readSize(value, term);
    return { facts: [({ size }) => size > bytes] };
  },
  smaller: (value, term) => {
    const bytes = readSize(value, term);
    return { facts: [({ size }) => size < bytes] };
  },
  has: (value, term) => {
    if (value !== "attachment") throw wrong(term, "has: takes attachment");
    return { attachment: true };
  },
  flag,
  is: flag,
  text: (value) => ({ words: [fold(value)] }),
};

/** @throws BackupError USAGE */
export function parseQuery(terms: readonly string[]): Query {
  const parts = terms.map(parseTerm);
  return {
    folders: parts.flatMap(({ folders = [] }) => folders),
    facts: parts.flatMap(({ facts = [] }) => facts),
    fields: parts.flatMap(({ fields = [] }) => fields),
    words: parts.flatMap(({ words = [] }) => words),
    attachment: parts.some(({ attachment }) => attachment === true),
  };
}

/** Whether a message need not be read to know that it is looked for. */
export function isKnownByName({ fields, words, attachment }: Query): boolean {
  return fields.length === 0 && words.length === 0 && !attachment;
}

function parseTerm(term: string): Part {
  const [, name = "", value = ""] = /^([a-z]+):(.*)$/is.exec(term) ?? [];
  const parse = Object.hasOwn(TERMS, name.toLowerCase()) ? TERMS[name.toLowerCase()] : undefined;
  if (parse && value.trim() === "") throw wrong(term, "something must follow the colon, with no space between");
  if (parse) return parse(value, term);
  if (term.trim() === "") throw new BackupError("USAGE", "a term is empty; every message has that");
  return { words: [fold(term)] };
}

function field(name: string): (value: string) => Part {
  return (value) => ({ fields: [(header) => fold(header.addresses(name)).includes(fold(value))] });
}

function flag(value: string, term: string): Part {
  const isUnset = value.startsWith("un");
  const name = isUnset ? value.slice(2) : value;
  const letter = Object.entries(FLAGS).find(([known]) => known === name)?.[1];
  if (letter === undefined)
    throw wrong(term, `the flags are ${Object.keys(FLAGS).join(", ")}, and un… for those without`);
  return { facts: [({ letters }) => letters.includes(letter) !== isUnset] };
}

/** A day, a month or a year of UTC, by its beginning. */
function readDay(value: string, term: string): { readonly from: number } {
  const [, year, month = "01", day = "01"] = /^(\d{4})(?:-(\d\d)(?:-(\d\d))?)?$/.exec(value) ?? [];
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  // A day that the month does not have would be one of the next.
  if (Number.isNaN(date.getTime()) || date.toISOString().slice(8, 10) !== day)
    throw wrong(term, "a date is 2024-01-31, 2024-01 or 2024");
  return { from: date.getTime() };
}

function readSize(value: string, term: string): number {
  const bytes = parseSize(value);
  if (bytes === undefined) throw wrong(term, "a size is 500k, 10M or 1.5GiB");
  return bytes;
}

function wrong(term: string, what: string): BackupError {
  return new BackupError(
    "USAGE",
    `the term '${term}' cannot be understood: ${what}; text:… looks for a text like this`,
  );
}
