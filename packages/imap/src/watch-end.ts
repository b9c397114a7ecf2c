/** Pieces that somebody reads, or does not. */
export interface Watched<T> {
  readonly bytes: AsyncIterable<T>;
  /** Resolves at the end of them, however that comes; at once where nobody has begun. */
  readonly ended: () => Promise<void>;
}

/** Tells when pieces have been read, or are not wanted any more. */
export function watchEnd<T>(pieces: AsyncIterable<T>): Watched<T> {
  let isBegun = false;
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return {
    bytes: {
      [Symbol.asyncIterator]() {
        isBegun = true;
        const iterator = pieces[Symbol.asyncIterator]();
        return {
          async next() {
            try {
              const result = await iterator.next();
              if (result.done) end();
              return result;
            } catch (error) {
              end();
              throw error;
            }
          },
          async return() {
            try {
              await iterator.return?.();
            } finally {
              end();
            }
            return { done: true, value: undefined };
          },
        };
      },
    },
    ended: () => (isBegun ? ended : Promise.resolve()),
  };
}
