import type { SearchArguments } from "../commands/search.js";
import type { CommandContext } from "../commands/subcommand.js";
import { EXIT } from "../exit-code.js";
import { rowFormatter } from "../render/rows.js";
import { jsonLine } from "../render/text.js";
import { openMail } from "./open-mail.js";
import { parseQuery } from "./query.js";
import { failureOf, namedSo, search } from "./search.js";
import { type StoredMessage, factsOf, labelOf } from "./stored-message.js";
import { writeOut } from "./write-out.js";

/**
 * `backup search`: a row for each message, newest first.
 * @returns the exit status: as grep has it, 1 where nothing was found; 3 where a message could not be looked at
 */
export async function searchBackup(args: SearchArguments, context: CommandContext): Promise<number> {
  const { signal, json } = context;
  const query = parseQuery(args.term ?? []);
  await using mail = await openMail(args, context);
  const messages: StoredMessage[] = [];
  for await (const folder of namedSo(mail, query)) for (const message of folder) messages.push(message);
  messages.sort((one, other) => other.date - one.date || (one.path < other.path ? -1 : 1));
  let failed = 0;
  const onFailure = (message: StoredMessage, error: Error): void => {
    failed++;
    mail.renderer.event(failureOf(message, error));
  };
  const format = rowFormatter(messages.map(labelOf), process.stdout);
  let shown = 0;
  for await (const { message, header } of search(messages, { query, store: mail.store, signal, onFailure })) {
    const { from, subject } = { from: header.addresses("from"), subject: header.text("subject") };
    const row = json
      ? jsonLine({ type: "message", ...factsOf(message), from, to: header.addresses("to"), subject })
      : format({ date: message.date, label: labelOf(message), from, subject });
    if (!(await writeOut(row)) || ++shown === args.limit) break;
  }
  if (failed > 0) return EXIT.partial;
  return shown > 0 ? EXIT.done : EXIT.failed;
}
