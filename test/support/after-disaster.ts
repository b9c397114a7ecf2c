import type { Account } from "./oracle.js";
import type { Published } from "./published.js";
import { type TreeFolder, readTree } from "./tree.js";

/**
 * The backup, without empty directories of folders that the account has no more: those that a killed run made and that
 * went at the server before a run was completed are nobody's, and are left alone.
 */
export async function treeOf(destination: string, { folders }: Account): Promise<readonly TreeFolder[]> {
  const names = new Set(folders.map(({ name }) => name));
  const tree = await readTree(destination);
  return tree.filter(({ directory, messages }) => messages.length > 0 || names.has(directory));
}

/** Messages that were there, that the server still has, and that are not there any more. */
export function lost(input: {
  readonly before: readonly Published[];
  readonly after: readonly Published[];
  readonly account: Account;
}): readonly Published[] {
  const wanted = new Set(input.account.folders.flatMap(({ messages }) => messages.map(({ sha256 }) => sha256)));
  const places = new Set(
    input.account.folders.flatMap(({ name, messages }) =>
      messages.map(({ uid, sha256 }) => `${name} ${uid} ${sha256}`),
    ),
  );
  const bytes = new Set(input.after.map(({ sha256 }) => sha256));
  const there = new Set(input.after.map(({ directory, uid, sha256 }) => `${directory} ${uid} ${sha256}`));
  return input.before.filter(({ directory, uid, sha256 }) => {
    const place = `${directory} ${uid} ${sha256}`;
    return places.has(place) ? !there.has(place) : wanted.has(sha256) && !bytes.has(sha256);
  });
}
