import { type Mail, parseMail } from "@backup/mail";
import type { CommandContext } from "../commands/subcommand.js";
import type { ShowArguments } from "../commands/show.js";
import { EXIT } from "../exit-code.js";
import { formatHeader, formatMail } from "../render/mail.js";
import { jsonLine } from "../render/text.js";
import { findMessages } from "./find-messages.js";
import { type OpenMail, openMail } from "./open-mail.js";
import { readHeader, readWhole } from "./read-message.js";
import { type Saved, type Saver, attachmentSaver, listOnly } from "./save-attachments.js";
import { damageOf } from "./search.js";
import { type StoredMessage, factsOf } from "./stored-message.js";
import { writeOut } from "./write-out.js";

/** `backup show`: messages of a backup, as a person or as a program reads them. @returns the exit status */
export async function show(args: ShowArguments, context: CommandContext): Promise<number> {
  const saver = args.attachments === undefined ? listOnly : await attachmentSaver(args.attachments);
  await using mail = await openMail(args, context);
  const messages = await findMessages(mail, args.message);
  const given = { mail, context, saver };
  let isWhole = true;
  for (const [index, message] of messages.entries()) {
    if (index > 0 && !context.json) await writeOut("\n");
    if (args.headers) await showHeader(message, given);
    else isWhole = (await (args.raw ? showRaw(message, given) : showText(message, given))) && isWhole;
  }
  return isWhole ? EXIT.done : EXIT.partial;
}

interface Given {
  readonly mail: OpenMail;
  readonly context: CommandContext;
  readonly saver: () => Saver;
}

async function showHeader(message: StoredMessage, { mail, context }: Given): Promise<void> {
  const header = await readHeader(mail.store, message, context.signal);
  const fields = header.fields();
  await writeOut(context.json ? jsonLine({ type: "header", ...factsOf(message), fields }) : formatHeader(fields));
}

/** The bytes as they are. */
async function showRaw(message: StoredMessage, given: Given): Promise<boolean> {
  const { bytes, isDamaged } = await read(message, given);
  await writeOut(bytes);
  return !isDamaged;
}

async function showText(message: StoredMessage, given: Given): Promise<boolean> {
  const { context, saver } = given;
  const { bytes, isDamaged } = await read(message, given);
  const { take, saved } = saver();
  const parsed = await parseMail(bytes, take);
  const { json } = context;
  await writeOut(json ? jsonLine(toJson(message, parsed, { isDamaged, saved })) : formatMail(message, parsed, saved));
  return !isDamaged;
}

async function read(
  message: StoredMessage,
  { mail, context }: Given,
): Promise<{ readonly bytes: Uint8Array; readonly isDamaged: boolean }> {
  const whole = await readWhole(mail.store, message, context.signal);
  if (whole.isDamaged) mail.renderer.event(damageOf(message));
  return whole;
}

function toJson(
  message: StoredMessage,
  { header, text, attachments, problem }: Mail,
  { isDamaged, saved }: { readonly isDamaged: boolean; readonly saved: readonly Saved[] },
): object {
  const addresses = ["from", "to", "cc"].map((name) => [name, header.addresses(name)]);
  return {
    type: "message",
    ...factsOf(message),
    damaged: isDamaged,
    problem: problem ?? null,
    ...Object.fromEntries(addresses),
    sent: header.text("date"),
    subject: header.text("subject"),
    text,
    attachments: attachments.map((attachment, index) => ({ ...attachment, file: saved[index]?.file ?? null })),
  };
}
