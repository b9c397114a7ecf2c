import type { BackupEvent } from "@backup/core";
import picomatch from "picomatch";
import type { ExportArguments } from "../commands/export.js";
import type { CommandContext } from "../commands/subcommand.js";
import { EXIT } from "../exit-code.js";
import { formatBytes, formatCount, jsonLine, printable } from "../render/text.js";
import { emlExporter } from "./export-eml.js";
import { mboxExporter } from "./export-mbox.js";
import { zipExporter } from "./export-zip.js";
import type { Exporter } from "./exporter.js";
import { type OpenMail, openMail } from "./open-mail.js";
import { type Query, isKnownByName, parseQuery } from "./query.js";
import { type WholeMessage, batchesOf, readAll } from "./read-message.js";
import { damageOf, failureOf, namedSo, search } from "./search.js";
import { stageAt } from "./stage.js";
import type { StoredMessage } from "./stored-message.js";
import { writeOut } from "./write-out.js";

/**
 * `backup export`: whole messages of a backup into files of another form.
 * @returns the exit status: 1 where no message is as the terms say, 3 where one was damaged or could not be read
 */
export async function exportBackup(args: ExportArguments, context: CommandContext): Promise<number> {
  const { signal, json, quiet } = context;
  const query = queryOf(args);
  await using stage = await stageAt(args.target, { isDirectory: !args.zip });
  await using mail = await openMail(args, context);
  const total = { messages: 0, bytes: 0, failed: 0 };
  const fail = (event: BackupEvent): void => {
    total.failed++;
    mail.renderer.event(event);
  };
  {
    await using exporter = await open(args, stage.path);
    for await (const { message, whole } of wholeMessages(mail, { query, signal, fail })) {
      if (whole.isDamaged) {
        fail(damageOf(message));
        continue;
      }
      await exporter.add(message, whole.bytes);
      total.messages++;
      total.bytes += message.size;
    }
    await exporter.finish();
  }
  if (total.messages > 0) await stage.publish();
  if (json) await writeOut(jsonLine({ type: "exported", target: args.target, ...total }));
  else if (!quiet) await writeOut(`${printable(summaryOf(args.target, total))}\n`);
  if (total.failed > 0) return EXIT.partial;
  return total.messages > 0 ? EXIT.done : EXIT.failed;
}

function queryOf({ term = [], folder = [] }: ExportArguments): Query {
  const query = parseQuery(term);
  return folder.length > 0 ? { ...query, folders: [...query.folders, picomatch([...folder], { dot: true })] } : query;
}

function open({ mbox, eml }: ExportArguments, path: string): Promise<Exporter> {
  if (mbox) return mboxExporter(path);
  return eml ? emlExporter(path) : zipExporter(path);
}

function summaryOf(
  target: string,
  total: { readonly messages: number; readonly bytes: number; readonly failed: number },
): string {
  const failed = total.failed > 0 ? `, ${total.failed} FAILED` : "";
  if (total.messages === 0) return `no message to export${failed}; ${target} was not made`;
  return `${target}: ${formatCount(total.messages, "message")}, ${formatBytes(total.bytes)}${failed}`;
}

/** The messages that are asked for with their bytes: folder by folder, the oldest first. */
async function* wholeMessages(
  mail: OpenMail,
  given: { readonly query: Query; readonly signal: AbortSignal; readonly fail: (event: BackupEvent) => void },
): AsyncGenerator<{ readonly message: StoredMessage; readonly whole: WholeMessage }> {
  const { query, signal, fail } = given;
  const { store } = mail;
  const onFailure = (message: StoredMessage, error: Error): void => fail(failureOf(message, error));
  for await (const folder of namedSo(mail, query)) {
    const sorted = folder.toSorted((one, other) => one.date - other.date || one.uid - other.uid);
    const found = (): AsyncIterable<readonly StoredMessage[]> =>
      batchesOf(messagesFrom(search(sorted, { query, store, signal, onFailure })));
    for await (const batch of isKnownByName(query) ? [sorted] : found())
      for await (const { message, whole } of readAll(batch, store, signal))
        if (whole instanceof Error) onFailure(message, whole);
        else yield { message, whole };
  }
}

async function* messagesFrom(found: AsyncIterable<{ readonly message: StoredMessage }>): AsyncGenerator<StoredMessage> {
  for await (const { message } of found) yield message;
}
