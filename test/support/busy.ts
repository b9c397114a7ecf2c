import { availableParallelism, loadavg } from "node:os";

/**
 * The longest that what takes so long, in any unit, on an idle machine may take here and now: where several programs want
 * a processor, each gets a part of it.
 */
export function busy(limit: number): number {
  const [load = 0] = loadavg();
  return limit * (1 + load / availableParallelism());
}
