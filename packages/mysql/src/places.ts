import { type Path, escapeNames, unescapeName } from "@backup/core";

/** Directory of the databases at a destination, a collection each. */
const DATABASES = "databases";
/** The collection of what belongs to no database. */
export const SERVER_PLACE: Path = "server";

/** The collections of these databases, in the same order. */
export function placesOf(databases: readonly string[]): readonly Path[] {
  return escapeNames(databases).map((name) => `${DATABASES}/${name}`);
}

/** The database that a collection is of; undefined: of none. */
export function databaseAt(path: Path): string | undefined {
  const [top, name, ...more] = path.split("/");
  return top === DATABASES && name !== undefined && more.length === 0 ? unescapeName(name) : undefined;
}

/** What the file of a dump is, by what stands before `.sql` in its extension. */
export const KINDS = { whole: "", table: ".table", rest: ".rest", made: ".database", users: "" } as const;
