import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { mboxEntry, safeFileName } from "@backup/mail";
import { distinctNames } from "./export-names.js";
import type { Exporter } from "./exporter.js";

/** An mbox file for each folder: `Archive.2024.mbox`. */
export async function mboxExporter(root: string): Promise<Exporter> {
  const distinct = distinctNames();
  let current: { readonly directory: string; readonly file: FileHandle } | undefined;
  const close = async (): Promise<void> => {
    const file = current?.file;
    current = undefined;
    await file?.sync();
    await file?.close();
  };
  return {
    async add(message, bytes) {
      const { directory } = message;
      if (current?.directory !== directory) {
        await close();
        const name = distinct(safeFileName(`${directory.replaceAll("/", ".")}.mbox`, "folder.mbox"));
        current = { directory, file: await open(join(root, name), "wx", 0o600) };
      }
      await current.file.writeFile(mboxEntry(bytes, message));
    },
    finish: close,
    [Symbol.asyncDispose]: close,
  };
}
