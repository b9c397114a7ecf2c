import { stat } from "node:fs/promises";
import { join } from "node:path";
import { BackupError, type Move, type Path } from "@backup/core";
import type { RsyncEntry } from "./rsync-listing.js";
import type { RsyncTree } from "./rsync-tree.js";
import type { Outgoing, Sender } from "./sender.js";

export interface MoveLimits {
  readonly files: number;
  readonly bytes: number;
  readonly sizeOf: (path: Path) => number;
}

/**
 * Cuts moves into groups that can be done by copying all of a group and removing the old names after: no path occurs
 * twice in one, so that a copy never overwrites what another still has to read, wherever it is interrupted.
 */
export function groupMoves(moves: readonly Move[], { files, bytes, sizeOf }: MoveLimits): readonly (readonly Move[])[] {
  const groups: Move[][] = [];
  let group: Move[] = [];
  let seen = new Set<Path>();
  let held = 0;
  for (const move of moves) {
    const size = sizeOf(move.from);
    const isFull = group.length >= files || held + size > bytes;
    if (group.length > 0 && (isFull || seen.has(move.from) || seen.has(move.to))) {
      groups.push(group);
      group = [];
      seen = new Set();
      held = 0;
    }
    group.push(move);
    seen.add(move.from).add(move.to);
    held += size;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

export interface MoveGroup {
  readonly group: readonly Move[];
  /** What is there of all that the moves name. */
  readonly there: readonly RsyncEntry[];
  readonly tree: RsyncTree;
  readonly sender: Sender;
  /** For messages. */
  readonly where: string;
}

/**
 * Moves a group as groupMoves makes them: fetches all, sends them under their new names, removes the old ones.
 * @throws BackupError NOT_FOUND where there is neither the old name nor the new one
 */
export async function moveByCopying(
  { group, there, tree, sender, where }: MoveGroup,
  signal: AbortSignal,
): Promise<void> {
  const names = new Set(there.filter(({ type }) => type === "file").map(({ path }) => path));
  const lost = group.find(({ from, to }) => !names.has(from) && !names.has(to));
  if (lost)
    throw new BackupError("NOT_FOUND", `${where}: ${lost.from} vanished while the run went on; run again`, {
      transient: true,
    });
  const open = group.filter(({ from, to }) => names.has(from) && from !== to);
  if (open.length === 0) return;
  await tree.scratch(async (local) => {
    const olds = open.map(({ from }) => from);
    await tree.pull(olds, local, signal);
    const files = open.map(async ({ from, to }): Promise<Outgoing> => {
      const file = join(local, from);
      const { mtimeMs, size } = await stat(file);
      return { path: to, mtime: mtimeMs, size, content: { file } };
    });
    await sender.send(await Promise.all(files), signal);
    await tree.remove(olds, signal);
  });
}
