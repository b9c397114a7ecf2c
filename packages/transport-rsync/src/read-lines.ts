import type { Readable } from "node:stream";
import { BackupError } from "@backup/core";

/** No name, and nothing that is said of one, is so long. */
const LONGEST = 1024 * 1024;

/**
 * Hands over each line, without its end; each byte is a character. Output waits while a promise is pending.
 * @throws BackupError PROTOCOL where a line has no end
 */
export async function readLines(stream: Readable, onLine: (line: string) => void | Promise<void>): Promise<void> {
  let rest = "";
  for await (const piece of stream) {
    const lines = (rest + (piece as Buffer).toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LONGEST) throw new BackupError("PROTOCOL", "rsync prints a line that does not end");
    for (const line of lines) {
      const pending = onLine(line);
      if (pending) await pending;
    }
  }
  if (rest !== "") await onLine(rest);
}
