/** Whether a number is in a set (`1:3,7,9:*`, RFC 3501 section 9). `*` is the largest number in use. */
export function sequenceSet(text: string, largest: number): ((number: number) => boolean) | undefined {
  if (!/^(\d+|\*)(:(\d+|\*))?(,(\d+|\*)(:(\d+|\*))?)*$/.test(text)) return undefined;
  const value = (part: string) => (part === "*" ? largest : Number(part));
  const ranges = text
    .split(",")
    .map((part) => part.split(":").map(value))
    .map((ends) => ({ low: Math.min(...ends), high: Math.max(...ends) }))
    .toSorted((a, b) => a.low - b.low);
  const merged: { low: number; high: number }[] = [];
  for (const { low, high } of ranges) {
    const last = merged.at(-1);
    if (last && low <= last.high + 1) last.high = Math.max(last.high, high);
    else merged.push({ low, high });
  }
  return (number) => {
    let [from, to] = [0, merged.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((merged[middle]?.high ?? Infinity) < number) from = middle + 1;
      else to = middle;
    }
    return (merged[from]?.low ?? Infinity) <= number;
  };
}
