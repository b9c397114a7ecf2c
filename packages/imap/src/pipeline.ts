import type { ImapFlow } from "imapflow";

/** A command of imapflow that waits for those before it. */
interface Queued {
  readonly tag: string;
}

/** What imapflow's types do not have. */
interface Internals {
  readonly currentRequest: (Queued & { sent?: boolean }) | false | undefined;
  readonly requestQueue: readonly Queued[];
  /** Writes a command down. */
  send(command: Queued): Promise<void>;
}

interface Pipeline {
  /** Tags of commands that the server has before it is their turn. */
  readonly ahead: Set<string>;
  readonly write: (command: Queued) => Promise<void>;
}

const pipelines = new WeakMap<ImapFlow, Pipeline>();
/** Those that a caller of `sendAtOnce` is giving commands to. */
const sending = new WeakSet<ImapFlow>();

/**
 * Lets commands be sent before the answer to the one before has come, of which imapflow sends one at a time: a server
 * carries them out in their order, and answers in it (RFC 9051, section 5.5). Before it connects.
 */
export function pipelineCommands(client: ImapFlow): void {
  const internals = client as unknown as Internals;
  const write = internals.send.bind(client);
  const ahead = new Set<string>();
  pipelines.set(client, { ahead, write });
  internals.send = async (command) => {
    if (!ahead.delete(command.tag)) return await write(command);
    // What imapflow notes when it has written one.
    const { currentRequest } = internals;
    if (currentRequest && currentRequest.tag === command.tag) currentRequest.sent = true;
    return undefined;
  };
}

/**
 * Sends the commands that `give` has the connection carry out, all of them now. They must have no literals, and are sent
 * once: a pause that the server asks for would change their order.
 * @returns what `give` does
 */
export function sendAtOnce<T>(client: ImapFlow, give: () => T): T {
  sending.add(client);
  try {
    return give();
  } finally {
    sending.delete(client);
    flush(client);
  }
}

function flush(client: ImapFlow): void {
  const pipeline = pipelines.get(client);
  if (!pipeline) return;
  const { ahead, write } = pipeline;
  for (const command of (client as unknown as Internals).requestQueue) {
    if (ahead.has(command.tag)) continue;
    ahead.add(command.tag);
    // One that cannot be written says so when it is its turn.
    write(command).catch(() => ahead.delete(command.tag));
  }
}

/** Whether a command is being given by `sendAtOnce`. */
export function isSentAtOnce(client: ImapFlow): boolean {
  return sending.has(client);
}
