import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";

const run = promisify(execFile);

/** What a backup of a tree holds by its manifest; names as in mtree(5). */
export async function listedIn(dest: string): Promise<readonly string[]> {
  const text = gunzipSync(await readFile(join(dest, ".backup/manifest.mtree.gz"))).toString("latin1");
  return text
    .split("\n")
    .flatMap((line) => (line.startsWith("./") ? [line.slice(2, line.indexOf(" "))] : []))
    .toSorted();
}

/** The same of the tree itself. */
export async function namesIn(source: string): Promise<readonly string[]> {
  const { stdout } = await run("find", [".", "-mindepth", "1", "-print0"], { cwd: source, encoding: "latin1" });
  const escaped = (name: string): string =>
    name.replace(/[^!-~]|[\\#*?[=]/g, (one) => `\\${one.charCodeAt(0).toString(8).padStart(3, "0")}`);
  return stdout
    .split("\0")
    .slice(0, -1)
    .map((name) => escaped(name.slice(2)))
    .toSorted();
}
