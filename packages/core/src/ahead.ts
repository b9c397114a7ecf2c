/**
 * Maps items one after the other, in their order; the next one is under way while the caller works on this one.
 * Nothing is under way any more when it has ended, however that comes.
 */
export async function* ahead<T, R>(
  items: Iterable<T>,
  map: (item: T) => Promise<R>,
): AsyncGenerator<{ readonly item: T; readonly result: R }> {
  let next: { readonly item: T; readonly result: Promise<R> } | undefined;
  try {
    for (const item of items) {
      const current = next;
      const result = map(item);
      // It is awaited a turn later; until then a failure must not count as unhandled.
      result.catch(() => {});
      next = { item, result };
      if (current) yield { item: current.item, result: await current.result };
    }
    if (next) yield { item: next.item, result: await next.result };
  } finally {
    await next?.result.catch(() => {});
  }
}
