import type { ANSWER_FAULTS } from "./answer-faults.js";

/** A kind of command that a run sends, how it is told from the others, and what it survives. */
interface Kind {
  readonly name: string;
  readonly is: RegExp;
  /** The faults that cost the run nothing when they happen once. Of the rest it has to give an honest account. */
  readonly survives?: RegExp;
}

const LOSS = /^(?:cut|bye|stall)/;
const ALL = /^/;

/** How the answer to a command goes wrong. */
export type FaultName = keyof typeof ANSWER_FAULTS;

/**
 * All that a run may send: the first that fits. Until the first login nothing is tried again, since a person made a mistake
 * then, more often than not.
 */
const KINDS: readonly Kind[] = [
  { name: "GREETING", is: /^GREETING$/ },
  { name: "CAPABILITY", is: /^CAPABILITY$/ },
  { name: "STARTTLS", is: /^STARTTLS$/ },
  { name: "ID", is: /^ID / },
  { name: "AUTHENTICATE", is: /^AUTHENTICATE / },
  { name: "LOGIN", is: /^LOGIN / },
  { name: "NAMESPACE", is: /^NAMESPACE$/ },
  { name: "LIST with STATUS", is: /^LIST .* RETURN .*STATUS/, survives: LOSS },
  { name: "LIST of the delimiter", is: /^LIST "" ""$/ },
  { name: "LIST", is: /^LIST /, survives: LOSS },
  { name: "STATUS", is: /^STATUS /, survives: /^(?:cut|bye|stall|no$|bad$)/ },
  { name: "ENABLE", is: /^ENABLE /, survives: ALL },
  { name: "EXAMINE", is: /^EXAMINE /, survives: LOSS },
  { name: "CLOSE", is: /^CLOSE$/, survives: LOSS },
  { name: "UID SEARCH", is: /^UID SEARCH /, survives: /^(?:cut|bye|stall|no$)/ },
  { name: "UID FETCH of heads", is: /^UID FETCH .*BODY\.PEEK\[\]<0\.256>/, survives: ALL },
  { name: "UID FETCH of a part", is: /^UID FETCH .*BODY\.PEEK\[\]<\d+\.\d+>/, survives: ALL },
  { name: "UID FETCH of bodies", is: /^UID FETCH .*BODY\.PEEK\[\]/, survives: ALL },
  { name: "UID FETCH of changes", is: /^UID FETCH 1:\* .*CHANGEDSINCE/, survives: ALL },
  { name: "UID FETCH of the listing", is: /^UID FETCH /, survives: ALL },
  { name: "LOGOUT", is: /^LOGOUT$/, survives: ALL },
];

export const COMMAND_NAMES: readonly string[] = KINDS.map(({ name }) => name);

/** @throws Error for a command that nobody has said yet what it survives */
export function commandName(command: string): string {
  return kindOf(command).name;
}

export function isCommand(name: string, command: string): boolean {
  return KINDS.find(({ is }) => is.test(command))?.name === name;
}

/** Whether a run has to complete by itself when this goes wrong once. */
export function survives(name: string, fault: FaultName): boolean {
  return KINDS.find((one) => one.name === name)?.survives?.test(fault) ?? false;
}

function kindOf(command: string): Kind {
  const kind = KINDS.find(({ is }) => is.test(command));
  if (!kind) throw new Error(`the matrix does not know this command: ${command}`);
  return kind;
}
