// A plugin in one file: the notes of a JSON file, [{"title": "…", "text": "…"}], each as a file of its own.
//
//   backup --plugin ./notes.mjs notes NOTES.json DEST
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { BackupError, DumpSource, definePlugin, dumpLayout } from "@backup/core";

export default definePlugin({
  kind: "source",
  name: "notes",
  version: "1.0.0",
  summary: "notes of a JSON file, each as a text",
  positionals: [
    { name: "file", describe: "JSON file with a list of notes, each with title and text" },
    { name: "dest", describe: "Directory here, or [user@]host:dir; made if it is missing" },
  ],
  options: {
    only: { type: "string", array: true, describe: "Only notes with this word in their title; repeatable" },
    upper: { type: "boolean", describe: "Write them in capitals" },
  },
  examples: [["backup --plugin ./notes.mjs notes notes.json /backup/notes", "every note"]],
  check({ file }) {
    if (!file.endsWith(".json"))
      throw new BackupError("USAGE", `FILE is '${file}', and takes a name that ends in .json`);
  },
  layout: () => dumpLayout,
  async create({ file, only, upper }) {
    const path = resolve(file);
    return new DumpSource({
      id: `notes:${path}`,
      async *collections() {
        const notes = await readNotes(path);
        const wanted = notes.filter(({ title }) => only.length === 0 || only.some((word) => title.includes(word)));
        yield {
          path: "notes",
          name: "notes",
          dumps: () =>
            wanted.map(({ title, text }) => ({
              name: title,
              extension: ".txt",
              async *produce() {
                yield Buffer.from(`${upper ? text.toUpperCase() : text}\n`);
              },
            })),
        };
      },
    });
  },
});

/**
 * @param {string} path
 * @returns {Promise<{ title: string, text: string }[]>}
 */
async function readNotes(path) {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new BackupError("NOT_FOUND", `${path} cannot be read, or is no JSON; check the file`, { cause: error });
  }
}
