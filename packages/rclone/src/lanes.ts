/** Requests to rclone that are under way at once. */
export const LANES = 8;

/**
 * Does the work for each, so many at once, in about their order. After a failure no other is begun; those that are
 * under way have ended before the first failure is thrown.
 */
export async function inLanes<T>(items: Iterable<T>, work: (item: T) => Promise<void>, lanes = LANES): Promise<void> {
  const waiting = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const lane = async (): Promise<void> => {
    while (failures.length === 0) {
      const next = waiting.next();
      if (next.done) return;
      try {
        await work(next.value);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  if (failures.length > 0) throw failures[0];
}
