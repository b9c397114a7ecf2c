/** Equal for things that may be the same: a size or a digest, and a time in whole seconds, as INTERNALDATE tells. */
export function likeness(what: number | string, mtime: number): string {
  return `${what} ${secondOf(mtime)}`;
}

/** Milliseconds as whole seconds. */
export function secondOf(mtime: number): number {
  return Math.floor(mtime / 1000);
}
