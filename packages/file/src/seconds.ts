const SECOND = 1_000_000_000n;

/** Whole seconds of a time in nanoseconds, the earlier ones. */
export function secondsOf(nanoseconds: bigint): number {
  const rest = ((nanoseconds % SECOND) + SECOND) % SECOND;
  return Number((nanoseconds - rest) / SECOND);
}
