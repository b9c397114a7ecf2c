import { readFile } from "node:fs/promises";
import { ImapFlow } from "imapflow";

/** A message before a server has it. */
export interface Draft {
  readonly bytes: Uint8Array;
  /** Flags and keywords. */
  readonly flags?: readonly string[];
  /** INTERNALDATE; servers keep whole seconds. */
  readonly date?: Date;
}

export interface AppenderOptions {
  /** A port of 127.0.0.1 with TLS from the start. */
  readonly port: number;
  readonly caFile: string;
  readonly user: string;
  readonly password: string;
}

/** Changes a mailbox, as its owner would. Folder names are decoded and use the server's separator. */
export interface Appender extends AsyncDisposable {
  /** One after the other. Returns their UIDs. The folder must exist. */
  append(folder: string, drafts: Iterable<Draft>): Promise<readonly number[]>;
  createFolder(name: string): Promise<void>;
  /** With what is in it. */
  deleteFolder(name: string): Promise<void>;
  renameFolder(from: string, to: string): Promise<void>;
  /** Replaces all flags and keywords of these messages. */
  setFlags(folder: string, uids: readonly number[], flags: readonly string[]): Promise<void>;
  /** Removes these messages for good. */
  expunge(folder: string, uids: readonly number[]): Promise<void>;
  move(folder: string, uids: readonly number[], to: string): Promise<void>;
  copy(folder: string, uids: readonly number[], to: string): Promise<void>;
  /** For what is missing here. */
  readonly client: ImapFlow;
}

export async function openAppender(options: AppenderOptions): Promise<Appender> {
  const client = new ImapFlow({
    host: "localhost",
    port: options.port,
    secure: true,
    tls: { ca: await readFile(options.caFile, "utf8") },
    auth: { user: options.user, pass: options.password },
    disableCompression: true,
    logger: false,
  });
  // Without a listener an error of an idle connection would end the process; the next command fails anyway.
  client.on("error", () => {});
  await client.connect();

  const at = async (folder: string, uids: readonly number[], task: (range: string) => Promise<unknown>) => {
    await client.mailboxOpen(folder);
    for (const range of ranges(uids)) check(await task(range), `change ${folder} ${range}`);
    // Leaves it, since Dovecot's STATUS of a selected folder stands still. Read-only first: CLOSE would expunge.
    await client.mailboxOpen(folder, { readOnly: true });
    check(await client.mailboxClose(), `close ${folder}`);
  };
  return {
    append: async (folder, drafts) => {
      const uids: number[] = [];
      for (const { bytes, flags = [], date } of drafts) {
        const answer = await client.append(folder, bytes, [...flags], date).catch((error: unknown) => {
          throw new Error(`append to ${folder} failed: ${reason(error)}`, { cause: error });
        });
        if (!answer || answer.uid === undefined) throw new Error(`append to ${folder} gave no UID`);
        uids.push(answer.uid);
      }
      return uids;
    },
    createFolder: async (name) => check((await client.mailboxCreate(name)).created, `create ${name}`),
    deleteFolder: async (name) => void (await client.mailboxDelete(name)),
    renameFolder: async (from, to) => void (await client.mailboxRename(from, to)),
    setFlags: (folder, uids, flags) =>
      at(folder, uids, (range) => client.messageFlagsSet(range, [...flags], { uid: true })),
    expunge: (folder, uids) => at(folder, uids, (range) => client.messageDelete(range, { uid: true })),
    move: (folder, uids, to) => at(folder, uids, (range) => client.messageMove(range, to, { uid: true })),
    copy: (folder, uids, to) => at(folder, uids, (range) => client.messageCopy(range, to, { uid: true })),
    client,
    [Symbol.asyncDispose]: async () => {
      if (client.usable) await client.logout();
    },
  };
}

/** In pieces that fit into a command line of any server. */
function ranges(uids: readonly number[]): readonly string[] {
  const pieces: string[] = [];
  for (let start = 0; start < uids.length; start += 500) pieces.push(uids.slice(start, start + 500).join(","));
  return pieces;
}

/** imapflow's own text is `Command failed`; the server's is beside it. */
function reason(error: unknown): string {
  return String(error instanceof Error && "responseText" in error ? error.responseText : error);
}

function check(answer: unknown, what: string): void {
  if (!answer) throw new Error(`the server refused to ${what}`);
}
