import { mkdir, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { distinctNames, emlName } from "./export-names.js";
import type { Exporter } from "./exporter.js";

/** A file for each message, with its time, in a directory for each folder. */
export async function emlExporter(root: string): Promise<Exporter> {
  const distinct = distinctNames();
  return {
    async add(message, bytes) {
      const file = join(root, distinct(`${message.directory}/${emlName(message, bytes)}`));
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      await writeFile(file, bytes, { flag: "wx", mode: 0o600, flush: true });
      await utimes(file, message.date / 1000, message.date / 1000);
    },
    async finish() {},
    async [Symbol.asyncDispose]() {},
  };
}
