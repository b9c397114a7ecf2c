/**
 * Maps items in their order, up to `lanes` at the same time: the next ones are under way while the caller works on one.
 * Nothing is under way any more when it has ended, however that comes.
 *
 * @param lanes with 1 an item is begun when the one before it was taken
 */
export async function* ahead<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  lanes: number,
  map: (item: T) => Promise<R>,
): AsyncGenerator<{ readonly item: T; readonly result: R }> {
  const waiting: { readonly item: T; readonly result: Promise<R> }[] = [];
  try {
    for await (const item of items) {
      const result = map(item);
      // It is awaited some turns later; until then a failure must not count as unhandled.
      result.catch(() => {});
      waiting.push({ item, result });
      const first = waiting.length >= lanes ? waiting.shift() : undefined;
      if (first) yield { item: first.item, result: await first.result };
    }
    for (let first = waiting.shift(); first; first = waiting.shift())
      yield { item: first.item, result: await first.result };
  } finally {
    await Promise.allSettled(waiting.map(({ result }) => result));
  }
}
