/** Equal for things that may be the same: a size or a digest, and a time in whole seconds, as INTERNALDATE tells. */
export function likeness(what: number | string, mtime: number): string {
  return `${what} ${Math.floor(mtime / 1000)}`;
}
