// The plugin of notes.mjs in TypeScript, with a way back: `backup restore notes` adds the notes that the JSON file lacks.
//
//   npx esbuild notes.ts --outfile=notes.js        (Node.js 23.6 and newer load the .ts itself)
//   backup --plugin ./notes.js notes NOTES.json DEST
import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  BackupError,
  DumpSource,
  type RestoreReport,
  type RestoreRequest,
  type Target,
  definePlugin,
  dumpLayout,
  readDumpName,
} from "@backup/core";

interface Note {
  readonly title: string;
  readonly text: string;
}

const DIRECTORY = "notes";

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
  },
  examples: [["backup --plugin ./notes.js notes notes.json /backup/notes", "every note"]],
  check({ file }) {
    if (!file.endsWith(".json"))
      throw new BackupError("USAGE", `FILE is '${file}', and takes a name that ends in .json`);
  },
  layout: () => dumpLayout,
  async create({ file, only }) {
    const path = resolve(file);
    return new DumpSource({
      id: `notes:${path}`,
      async *collections() {
        const notes = await readNotes(path);
        const wanted = notes.filter(({ title }) => only.length === 0 || only.some((word) => title.includes(word)));
        yield {
          path: DIRECTORY,
          name: DIRECTORY,
          dumps: () =>
            wanted.map(({ title, text }) => ({
              name: title,
              extension: ".txt",
              async *produce() {
                yield Buffer.from(text);
              },
            })),
        };
      },
    });
  },
  restore: {
    summary: "add the notes that a JSON file lacks",
    positionals: [
      { name: "dest", describe: "The backup: directory here, or [user@]host:dir; only read" },
      { name: "file", describe: "JSON file that gets them; made if it is missing" },
    ],
    options: {},
    examples: [["backup --plugin ./notes.js restore notes /backup/notes notes.json", "what is missing there"]],
    open: async ({ file }) => notesTarget(resolve(file)),
  },
});

function notesTarget(path: string): Target {
  return {
    restore: (request) => restoreNotes(path, request),
    async [Symbol.asyncDispose]() {},
  };
}

async function restoreNotes(path: string, request: RestoreRequest): Promise<RestoreReport> {
  const { store, dryRun, signal, onEvent } = request;
  const began = performance.now();
  const there = await readNotes(path, []);
  const titles = new Set(there.map(({ title }) => title));
  const files = await store.list([DIRECTORY], signal);
  const missing = files.filter((file) => !titles.has(readDumpName(file.path)?.name ?? ""));
  const restored: Note[] = [];
  let failed = 0;
  for await (const content of store.contents(missing, signal)) {
    if ("bytes" in content) {
      restored.push({ title: readDumpName(content.path)?.name ?? "", text: Buffer.from(content.bytes).toString() });
      continue;
    }
    const { code, message } = content.error;
    onEvent({ type: "failed", collection: DIRECTORY, item: content.path, code, message });
    failed++;
  }
  if (!dryRun && restored.length > 0) await writeFile(path, JSON.stringify([...there, ...restored], undefined, 2));
  const report: RestoreReport = {
    unit: "file",
    result: failed > 0 ? "partial" : "done",
    dryRun,
    collections: 1,
    items: files.length,
    restored: restored.length,
    present: files.length - missing.length,
    failed,
    left: 0,
    bytes: restored.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0),
    seconds: (performance.now() - began) / 1000,
  };
  onEvent({ type: "restored", report });
  return report;
}

async function readNotes(path: string, otherwise?: readonly Note[]): Promise<readonly Note[]> {
  try {
    // Whoever wrote the file is believed to have written notes.
    return JSON.parse(await readFile(path, "utf8")) as readonly Note[];
  } catch (error) {
    if (otherwise && error instanceof Error && "code" in error && error.code === "ENOENT") return otherwise;
    throw new BackupError("NOT_FOUND", `${path} cannot be read, or is no JSON; check the file`, { cause: error });
  }
}
