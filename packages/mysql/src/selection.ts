import picomatch from "picomatch";

export interface Selection {
  /** By glob; none: every database. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** Names are no paths: a star matches whatever there is. */
const GLOB = { dot: true, bash: true, nonegate: true } as const;

export function selects({ include, exclude }: Selection): (name: string) => boolean {
  const wanted = include.length > 0 ? picomatch([...include], GLOB) : () => true;
  const unwanted = exclude.length > 0 ? picomatch([...exclude], GLOB) : () => false;
  return (name) => wanted(name) && !unwanted(name);
}

/** Patterns that match none of these. */
export function unmatched(patterns: readonly string[], names: readonly string[]): readonly string[] {
  return patterns.filter((pattern) => !names.some((name) => picomatch.isMatch(name, pattern, GLOB)));
}
