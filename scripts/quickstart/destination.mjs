import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";

/** Says that the directory is ours. A backup leaves alone what begins with a dot. */
const MARK = ".quickstart";
const MARK_TEXT = "Made by `npm run quickstart`, which empties this directory every time. It may be deleted.\n";

/**
 * Makes the directory, or empties it if it is from an earlier quickstart.
 * @param {string} directory
 * @throws Error when it holds anything else
 */
export async function prepareDestination(directory) {
  const names = await readOr(() => readdir(directory), []);
  if (names.length > 0) {
    if ((await readOr(() => readFile(join(directory, MARK), "utf8"))) !== MARK_TEXT)
      throw new Error(
        `${directory} is not from an earlier quickstart and is left alone; move it away, or name another`,
      );
    // The mark last: whatever ends this half-way, the rest is still ours.
    for (const name of names) if (name !== MARK) await rm(join(directory, name), { recursive: true });
  }
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(join(directory, MARK), MARK_TEXT, { mode: 0o600 });
}

async function readOr(read, missing) {
  try {
    return await read();
  } catch (error) {
    if (error.code === "ENOENT") return missing;
    throw error;
  }
}

/**
 * What a backup holds.
 * @param {string} directory
 * @returns {Promise<Map<string, string[]>>} folder to the names in its `cur`, both sorted
 */
export async function readTree(directory) {
  const tree = new Map();
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isDirectory() || entry.name !== "cur") continue;
    const names = await readdir(join(entry.parentPath, entry.name));
    tree.set(relative(directory, entry.parentPath), names.toSorted());
  }
  return new Map([...tree].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * What became of a backup, a line for each file.
 * @param {Map<string, string[]>} before
 * @param {Map<string, string[]>} after
 * @returns {string[]}
 */
export function differences(before, after) {
  const old = filesOf(before);
  const now = filesOf(after);
  const lines = [];
  for (const [stem, path] of now) {
    const was = old.get(stem);
    if (was === undefined) lines.push(`new      ${path}`);
    else if (was !== path) lines.push(`renamed  ${was} → …${path.slice(stem.length)}`);
  }
  for (const [stem, path] of old) if (!now.has(stem)) lines.push(`deleted  ${path}`);
  return lines;
}

/** Every file's path, by what stays of it when its flags change. */
function filesOf(tree) {
  const paths = [...tree].flatMap(([folder, names]) => names.map((name) => `${folder}/cur/${name}`));
  return new Map(paths.map((path) => [path.replace(/[:;]2,\w*$/, ""), path]));
}
