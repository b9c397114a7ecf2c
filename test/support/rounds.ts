/**
 * How often a test with random moments is repeated: so often, or that share of it which TEST_ROUNDS says (`0.25`), where the
 * same has just been run in full.
 */
export function roundsOf(count: number): number {
  const share = Number(process.env.TEST_ROUNDS ?? 1);
  if (!(share > 0 && share <= 1)) throw new Error("TEST_ROUNDS is a number above 0, up to 1");
  return Math.ceil(count * share);
}
