/** Calls back when the count has not changed for `ms` milliseconds, twice that at most. A busy process counts for one look. */
export function whenStalled(count: () => number, ms: number, then: () => void): Disposable {
  let last = -1;
  const timer = setInterval(() => {
    if (count() === last) then();
    last = count();
  }, ms);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
