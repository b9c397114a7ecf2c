import type { Move, Path } from "@backup/core";

/** Moves in their order, in groups whose moves may be made at the same time: no path is in a group twice. */
export function moveGroups(moves: readonly Move[]): readonly (readonly Move[])[] {
  const groups: Move[][] = [];
  let group: Move[] = [];
  let taken = new Set<Path>();
  for (const move of moves) {
    if (taken.has(move.from) || taken.has(move.to)) {
      groups.push(group);
      group = [];
      taken = new Set();
    }
    group.push(move);
    taken.add(move.from).add(move.to);
  }
  return group.length > 0 ? [...groups, group] : groups;
}
