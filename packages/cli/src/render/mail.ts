import type { HeaderField, Mail } from "@backup/mail";
import type { StoredMessage } from "../look/stored-message.js";
import type { Saved } from "../look/save-attachments.js";
import { formatBytes, printable } from "./text.js";

/** What a person reads first. */
const NAMES = ["From", "To", "Cc", "Date", "Subject"] as const;
const TAB = 8;

/** A message as text: who, when, what, its text and a list of its attachments. Nothing in it can drive a terminal. */
export function formatMail({ date }: StoredMessage, mail: Mail, saved: readonly Saved[]): string {
  const { header, text, attachments, problem } = mail;
  const values = {
    From: header.addresses("from"),
    To: header.addresses("to"),
    Cc: header.addresses("cc"),
    Date: header.text("date") || `${new Date(date).toUTCString()} (received)`,
    Subject: header.text("subject"),
  };
  const head = NAMES.flatMap((name) =>
    values[name] === "" ? [] : [`${`${name}:`.padEnd(9)}${oneLine(values[name])}`],
  );
  const files = attachments.map(({ name, type, size }, index) => {
    const where = saved[index] ? ` → ${saved[index].file}` : "";
    return `  ${oneLine(`${name || "without a name"} (${type}, ${formatBytes(size)})${where}`)}`;
  });
  return [
    ...head,
    "",
    ...linesOf(text),
    ...(problem === undefined
      ? []
      : ["", oneLine(`[Not all of this message is shown: ${problem}. --raw has all of it.]`)]),
    ...(files.length > 0 ? ["", "Attachments:", ...files] : []),
    "",
  ].join("\n");
}

/** Every field on a line of its own. */
export function formatHeader(fields: readonly HeaderField[]): string {
  return fields.map(({ name, value }) => `${oneLine(`${name}: ${value}`)}\n`).join("");
}

function linesOf(text: string): readonly string[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => printable(line.replaceAll("\t", " ".repeat(TAB))));
}

function oneLine(text: string): string {
  return printable(text.replace(/\s+/g, " "));
}
