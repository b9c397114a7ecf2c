import { type PerformanceEntry, PerformanceObserver, constants } from "node:perf_hooks";
import { getHeapStatistics, setFlagsFromString } from "node:v8";

/** Bytes of a heap that is large because of what is in use, not of garbage. */
const LARGE = 32 * 1024 * 1024;

/** By how much a large heap may grow until its garbage is collected again, percent. */
const GROWTH = 25;

/**
 * Has the garbage of a large heap collected when it has grown by a quarter: V8 lets it double and more. That is almost half
 * the memory of a first copy of 200,000 messages, for a tenth more of the processor. A small heap would be collected at
 * every few messages, because their bytes count too.
 */
export function limitHeapGrowth(): void {
  let isLimited = false;
  const observer = new PerformanceObserver((list) => {
    const isLarge = getHeapStatistics().used_heap_size > LARGE;
    // How far it may grow is set by each collection of all of it, for the next one: before the first one that matters.
    if (isLarge === isLimited || (isLimited && !list.getEntries().some(isWhole))) return;
    isLimited = isLarge;
    setFlagsFromString(`--heap-growing-percent=${isLimited ? GROWTH : 0}`);
  });
  observer.observe({ entryTypes: ["gc"] });
}

function isWhole(entry: PerformanceEntry & { readonly detail?: unknown }): boolean {
  const { kind } = entry.detail as { readonly kind?: number };
  return kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}
