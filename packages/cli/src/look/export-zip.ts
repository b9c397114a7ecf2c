import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { ZipFile } from "yazl";
import { distinctNames, emlName } from "./export-names.js";
import type { Exporter } from "./exporter.js";

/** One archive of a file for each message; in the form of zip64 where there are many, or it is large. */
export async function zipExporter(file: string): Promise<Exporter> {
  const distinct = distinctNames();
  const zip = new ZipFile();
  const stop = new AbortController();
  const written = pipeline(zip.outputStream, createWriteStream(file, { flags: "wx", mode: 0o600, flush: true }), {
    signal: stop.signal,
  });
  // What it fails with is met by whoever waits for it.
  written.catch(() => {});
  return {
    async add(message, bytes) {
      const name = distinct(`${message.directory}/${emlName(message, bytes)}`);
      const source = Readable.from([bytes]);
      const options = { mtime: new Date(message.date), mode: 0o100600, size: bytes.length };
      zip.addReadStream(source, name, options);
      // The next one only when this one is through: they would all wait in memory.
      await Promise.race([finished(source), written]);
    },
    async finish() {
      zip.end();
      await written;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await written.catch(() => {});
    },
  };
}
