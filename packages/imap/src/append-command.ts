import type { ImapFlow } from "imapflow";
import { encodePath, formatDateTime } from "imapflow/lib/tools.js";

/** A message as APPEND takes it. */
export interface Appended {
  /** System flags and keywords, each an atom that the folder takes. */
  readonly flags: readonly string[];
  /** INTERNALDATE, seconds since 1970. */
  readonly seconds: number;
  readonly bytes: Buffer;
}

/** How many messages one command may have: more than one by MULTIAPPEND (RFC 3502). */
export function canAppendMany({ capabilities }: ImapFlow): boolean {
  return capabilities.has("MULTIAPPEND");
}

/**
 * Stores messages in a folder by one APPEND (RFC 9051, section 6.3.12; several by RFC 3502): all of them or none. Dates
 * are sent in UTC. With LITERAL+ (RFC 7888) that takes one round trip, whatever the sizes are; else one more for each
 * message that is larger than the server takes unasked.
 *
 * Errors are imapflow's.
 */
export async function appendMessages(client: ImapFlow, mailbox: string, messages: readonly Appended[]): Promise<void> {
  const { exec, write } = internalsOf(client);
  const folder = { type: "ATOM", value: encodePath(client, mailbox) };
  const run = client.capabilities.has("LITERAL+") ? atOnce(messages, write) : inTurns(messages);
  (await exec("APPEND", [folder, ...run.attributes], { onSend: run.onSend })).next();
}

interface Internals {
  /** The answer; the next one is read after `next`. */
  exec(
    command: string,
    attributes: readonly unknown[],
    options: { readonly onSend?: (() => void) | undefined },
  ): Promise<{ next(): void }>;
  /** Adds the end of a line. */
  write(bytes: Buffer): void;
}

function internalsOf(client: ImapFlow): Internals {
  const { exec, write } = client as unknown as Internals;
  return { exec: exec.bind(client), write: write.bind(client) };
}

interface Arguments {
  readonly attributes: readonly unknown[];
  readonly onSend?: () => void;
}

/** Imapflow waits for the server before each large literal; so the command ends with the first one's size, and the rest is written behind it. */
function atOnce(messages: readonly Appended[], write: Internals["write"]): Arguments {
  const heads = messages.map(({ flags, seconds, bytes }) => {
    return `(${flags.join(" ")}) "${dateOf(seconds)}" {${bytes.byteLength}+}`;
  });
  return {
    attributes: [{ type: "TEXT", value: heads[0] }],
    onSend() {
      for (const [index, { bytes }] of messages.entries()) {
        const head = heads[index + 1];
        write(head === undefined ? bytes : Buffer.concat([bytes, Buffer.from(` ${head}`)]));
      }
    },
  };
}

function inTurns(messages: readonly Appended[]): Arguments {
  const attributes = messages.flatMap(({ flags, seconds, bytes }) => [
    flags.map((value) => ({ type: "ATOM", value })),
    { type: "STRING", value: dateOf(seconds) },
    { type: "LITERAL", value: bytes },
  ]);
  return { attributes };
}

function dateOf(seconds: number): string {
  return formatDateTime(new Date(seconds * 1000)) ?? "";
}
