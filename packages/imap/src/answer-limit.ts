import type { ImapFlow } from "imapflow";

/** Code of the error that it ends a connection with. */
export const ENDLESS = "AnswerEndless";

/** Lines of an answer that has nothing to do with messages: folders and what STATUS says of them, say. */
const LINES = 100_000;
/** Lines more for each message of the open folder: its row, and news of it that nobody asked for. */
const LINES_PER_MESSAGE = 4;
/** So many bytes of a line count as another one. */
const BYTES_PER_LINE = 16 * 1024;

/** What imapflow's types do not have. */
interface Internals {
  handleResponse(data: Line): Promise<boolean>;
  rejectCurrentRequest(error: Error): void;
  failProtocol(error: Error): void;
}

interface Line {
  readonly payload: Buffer;
  readonly literals?: readonly Buffer[];
}

/**
 * Ends a connection whose server answers one command without end. Each line is short enough for imapflow, and a server
 * that talks is not silent: nothing else would end the run. To be called before the client connects.
 */
export function limitAnswers(client: ImapFlow): void {
  const internals = client as unknown as Internals;
  const handle = internals.handleResponse.bind(client);
  let lines = 0;
  internals.handleResponse = async (data) => {
    lines = isLast(data) ? 0 : lines + linesOf(data);
    const exists = client.mailbox ? client.mailbox.exists : 0;
    if (lines <= LINES + LINES_PER_MESSAGE * exists) return await handle(data);
    const error = Object.assign(new Error("an answer without end"), { code: ENDLESS });
    internals.rejectCurrentRequest(error);
    internals.failProtocol(error);
    client.close();
    return false;
  };
}

/** The tagged line, with which an answer ends (RFC 3501, section 2.2.2). */
function isLast({ payload }: Line): boolean {
  const [first] = payload;
  return first !== STAR && first !== PLUS && /^[0-9A-F]+ (?:OK|NO|BAD) /i.test(payload.toString("latin1", 0, 30));
}

const STAR = "*".charCodeAt(0);
const PLUS = "+".charCodeAt(0);

function linesOf({ payload, literals = [] }: Line): number {
  const bytes = literals.reduce((sum, { length }) => sum + length, payload.length);
  return 1 + Math.floor(bytes / BYTES_PER_LINE);
}
