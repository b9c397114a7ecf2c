import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { whenStalled } from "../src/when-stalled.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("calls back when a count stands still, and not while it goes on", () => {
  let count = 0;
  const stalled = vi.fn<() => void>();
  {
    using _watch = whenStalled(() => count, 100, stalled);
    for (count = 0; count < 5; count++) vi.advanceTimersByTime(100);
    expect(stalled).not.toHaveBeenCalled();
    vi.advanceTimersByTime(200);
    expect(stalled).toHaveBeenCalled();
    stalled.mockClear();
  }
  vi.advanceTimersByTime(1000);
  expect(stalled).not.toHaveBeenCalled();
});
