import { readFile } from "node:fs/promises";
import { BackupError, systemCode } from "@backup/core";
import { planInvalid } from "./problem.js";

/** What a file should be, and how large at most, bytes. */
export interface TextFile {
  readonly what: string;
  readonly limit: number;
  /** What to do where there is none. */
  readonly hint: string;
}

/** Whole text of a file. @throws BackupError USAGE where it cannot be read, PLAN_INVALID where it is too large or no UTF-8 */
export async function readText(file: string, { what, limit, hint }: TextFile): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new BackupError("USAGE", `the ${what} ${file} ${reason(error, hint)}`, { cause: error });
  }
  const position = { line: 1, column: 1 };
  if (bytes.length > limit) throw planInvalid(file, [{ position, text: `this is too large to be a ${what}` }]);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw planInvalid(file, [{ position, text: "this is no text in UTF-8; save it as such" }]);
  }
}

function reason(error: unknown, hint: string): string {
  const code = systemCode(error) ?? "unknown error";
  if (code === "ENOENT" || code === "ENOTDIR") return `does not exist; ${hint}`;
  return code === "EISDIR" ? "is a directory; name a file" : `cannot be read (${code})`;
}
