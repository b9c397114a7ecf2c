import { type DumpItem, dumpId } from "./dump.js";
import { escapeName, unescapeName } from "./escape-name.js";
import type { Layout } from "./layout.js";
import type { Content, Known, Path, Stored } from "./model.js";

const NAME = /^(.+)\.D([a-z2-7]{26})((?:\.[a-z0-9]+)*)$/s;

/**
 * Dumps at a destination: every directory is a collection, and a file in it is `<name>.D<digest><extension>`, the name as
 * `escapeName` writes it.
 */
export const dumpLayout: Layout<DumpItem> = {
  leaves: [],
  unit: "file",
  naming: () => ({
    identify,
    path: ({ collection, name, extension }, { digest }) => `${collection}/${dumpFileName(name, digest, extension)}`,
  }),
  collectionAt: (directory) =>
    directory.split("/").every((name) => unescapeName(name) !== undefined) ? directory : undefined,
};

export function dumpFileName(name: string, digest: Content["digest"], extension: string): string {
  return `${escapeName(name)}.D${digest}${extension}`;
}

/** What the name of a dump's file says; undefined: it is none. */
export function readDumpName(path: Path): Pick<DumpItem, "name" | "extension"> | undefined {
  const [, stem = "", , extension = ""] = NAME.exec(path.slice(path.lastIndexOf("/") + 1)) ?? [];
  const name = unescapeName(stem);
  return stem !== "" && name !== undefined && escapeName(name) === stem ? { name, extension } : undefined;
}

function identify({ path, size }: Stored): Omit<Known, "file"> | undefined {
  const named = readDumpName(path);
  const digest = NAME.exec(path)?.[2];
  if (!named || digest === undefined) return undefined;
  return { identity: { id: dumpId(named), rev: digest }, content: { digest, size } };
}
