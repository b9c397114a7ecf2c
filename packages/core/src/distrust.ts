import type { Item, Naming, Path } from "./model.js";

/**
 * A naming that trusts no name of these files: each is a revision that no source has, of unknown content. So its item is
 * transferred anew, to the same name mostly, and nothing else is made from its bytes; without its item it stays.
 */
export function distrusting<I extends Item>(naming: Naming<I>, damaged: ReadonlySet<Path> | undefined): Naming<I> {
  if (damaged === undefined || damaged.size === 0) return naming;
  return {
    path: (item, content) => naming.path(item, content),
    identify(file) {
      const known = naming.identify(file);
      return known && damaged.has(file.path) ? { identity: { ...known.identity, rev: "damaged" } } : known;
    },
  };
}
