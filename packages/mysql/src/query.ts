import { clientError, errorNumber } from "./client-error.js";
import { type MysqlClients, textOf } from "./client.js";

/** One row: the values as text; NULL is the text NULL. */
export type Row = readonly string[];

export interface QueryOptions {
  /** Numbers of errors after which the next statement is run all the same. Default: none. */
  readonly tolerate?: readonly string[] | undefined;
}

/**
 * Runs statements by the client program, and gives the rows of all of them. Texts that may hold anything are selected as
 * HEX(…): see `fromHex`.
 * @throws BackupError AUTH_FAILED, CONNECTION_REFUSED and their like; COLLECTION_UNAVAILABLE for a statement that fails
 */
export async function query(
  clients: MysqlClients,
  statements: string,
  { tolerate = [] }: QueryOptions = {},
): Promise<readonly Row[]> {
  const force = tolerate.length > 0 ? ["--force"] : [];
  const options = ["--batch", "--skip-column-names", "--no-auto-rehash", ...force];
  await using started = await clients.start("query", () => options);
  started.running.stdin.end(statements);
  const text = await textOf(started.running);
  const failure = await started.failure();
  if (failure && !tolerate.includes(errorNumber(failure.complaint ?? "") ?? ""))
    throw clientError(`${clients.server} cannot be asked`, failure, "COLLECTION_UNAVAILABLE");
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  return lines.map((line) => line.split("\t").map(unescape));
}

/** A text that was selected as HEX(…). */
export function fromHex(hex: string): string {
  return Buffer.from(hex, "hex").toString("utf8");
}

/** A text in a statement, whatever it holds. */
export function textLiteral(text: string): string {
  return text === "" ? "''" : `CONVERT(X'${Buffer.from(text).toString("hex")}' USING utf8mb4)`;
}

/** A name in a statement. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

/** What mysql(1) writes with --batch. */
function unescape(text: string): string {
  return text.replace(/\\([\\nt0])/g, (_all, letter: string) => ({ n: "\n", t: "\t", "0": "\0" })[letter] ?? "\\");
}
