import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type AttachmentStream, MailParser, type MailParserOptions, type MessageText } from "mailparser";
import { decodeText, endLines } from "./decode-text.js";
import { Header } from "./header.js";
import { htmlText } from "./html-text.js";
import { whenStalled } from "./when-stalled.js";

/** A message as a person reads it. */
export interface Mail {
  readonly header: Header;
  /** Its text, lines ended by a line feed; that of HTML where there is no other. */
  readonly text: string;
  readonly attachments: readonly Attachment[];
  /** Why something of it is missing here: it is broken, or more than can be taken apart. Undefined: nothing is. */
  readonly problem: string | undefined;
}

export interface Attachment {
  /** As the message has it, or empty: not fit for the name of a file. */
  readonly name: string;
  /** `image/png`. */
  readonly type: string;
  /** Of what it decodes to, bytes. */
  readonly size: number;
}

/** Takes the bytes of an attachment, to their end. */
export type TakeAttachment = (attachment: Omit<Attachment, "size">, bytes: AsyncIterable<Uint8Array>) => Promise<void>;

/** What the parser is given at a time. */
const PIECE = 64 * 1024;
/** A parser from which nothing has come for so long has lost its way. */
const STALLED_MS = 30_000;
const OPTIONS = {
  skipTextToHtml: true,
  skipImageLinks: true,
  checksumAlgo: false,
  // A message in a message is an attachment: taken apart, a broken one would keep the parser waiting for ever.
  ignoreEmbedded: true,
  // Characters; more is not written by a person, and takes seconds.
  maxHtmlLengthToParse: 2 * 1024 * 1024,
} as const satisfies MailParserOptions;

/**
 * Takes a message apart (RFC 2045 to 2047). Never fails for what the bytes are: where they cannot be taken apart, the text is
 * the message as it is, and `problem` says why. Attachments are decoded while they are taken, and kept nowhere.
 * @throws what `take` throws
 */
export async function parseMail(bytes: Uint8Array, take: TakeAttachment = skip): Promise<Mail> {
  const header = new Header(bytes);
  const attachments: Attachment[] = [];
  const parser = new MailParser(OPTIONS);
  // It may fail more than once; the first failure is met below.
  parser.on("error", () => {});
  const moved = { pieces: 0 };
  using _watch = whenStalled(
    () => moved.pieces,
    STALLED_MS,
    () => parser.destroy(new Error("nothing comes of it any more")),
  );
  const fed = pipeline(Readable.from(piecesOf(bytes, moved)), parser);
  fed.catch(() => {});
  let text: MessageText | undefined;
  let refusal: { readonly error: unknown } | undefined;
  try {
    for await (const part of parser.iterator({ destroyOnReturn: false }) as AsyncIterable<Part>) {
      if (part.type === "text") {
        text = part;
        continue;
      }
      // An attachment that ends with the parser is no fault of who takes it.
      const refused = (error: unknown): unknown => (refusal = parser.errored ? undefined : { error });
      attachments.push(await takeOne(part, parser, { take, moved, refused }));
    }
    await fed;
  } catch (error) {
    if (refusal) throw refusal.error;
    return { header, attachments, text: decodeText(bytes), problem: `it cannot be taken apart (${reasonOf(error)})` };
  } finally {
    parser.destroy();
  }
  return { header, attachments, ...(await textOf(text)) };
}

/** What the parser gives. */
type Part = AttachmentStream | MessageText;

/** How much has gone into the parser and come out of it. */
interface Moved {
  pieces: number;
}

/** Hands out one attachment, and lets the parser go on. */
async function takeOne(
  part: AttachmentStream,
  parser: MailParser,
  given: { readonly take: TakeAttachment; readonly moved: Moved; readonly refused: (error: unknown) => void },
): Promise<Attachment> {
  const { filename: name = "", contentType: type } = part;
  const counter = { size: 0 };
  const end = (error: Error): unknown => part.content.destroy(error);
  parser.once("error", end);
  try {
    await given.take({ name, type }, counted(part.content, counter, given.moved));
  } catch (error) {
    given.refused(error);
    throw error;
  } finally {
    parser.off("error", end);
  }
  part.release?.();
  return { name, type, size: counter.size };
}

function* piecesOf(bytes: Uint8Array, moved: Moved): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE) {
    moved.pieces++;
    yield bytes.subarray(at, at + PIECE);
  }
}

async function* counted(content: Readable, counter: { size: number }, moved: Moved): AsyncGenerator<Uint8Array> {
  for await (const piece of content as AsyncIterable<Uint8Array>) {
    moved.pieces++;
    counter.size += piece.length;
    yield piece;
  }
}

const skip: TakeAttachment = async (_attachment, bytes) => {
  for await (const _piece of bytes);
};

async function textOf(found: MessageText | undefined): Promise<Pick<Mail, "text" | "problem">> {
  const { text = "", html = "", textConversionError: failed } = found ?? {};
  try {
    if (failed) throw failed;
    return {
      text: endLines(text.trim() === "" && html !== "" ? await htmlText(html, OPTIONS) : text),
      problem: undefined,
    };
  } catch (error) {
    return { text: endLines(text), problem: `its HTML cannot be shown as text (${reasonOf(error)})` };
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
