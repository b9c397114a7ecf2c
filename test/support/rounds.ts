/**
 * How often a test with random moments is repeated: so often, or that multiple of it which TEST_ROUNDS says: `0.25` where the
 * same has just been run in full, `4` for a machine that has the time.
 */
export function roundsOf(count: number): number {
  const share = Number(process.env.TEST_ROUNDS ?? 1);
  if (!(share > 0 && share <= 100)) throw new Error("TEST_ROUNDS is a number above 0, up to 100");
  return Math.ceil(count * share);
}
