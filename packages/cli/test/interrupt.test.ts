import { afterEach, describe, expect, it, vi } from "vitest";
import { run } from "../src/cli.js";
import { type Interruption, abortOnSignals } from "../src/interrupt.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const listeners = (): readonly number[] => [...SIGNALS, "exit"].map((name) => process.listenerCount(name));
const before = listeners();

let interruption: Interruption | undefined;
function listen(): AbortSignal {
  interruption = abortOnSignals(() => {});
  // For ever: the end of patience ends the process.
  interruption.allowToEnd(2 ** 31 - 1);
  return interruption.signal;
}
afterEach(() => {
  interruption?.dispose();
  vi.restoreAllMocks();
});

describe("a signal", () => {
  it.each(SIGNALS)("%s is an abort, and its echo is no second one", (name) => {
    const exit = vi.spyOn(process, "exit").mockImplementation((() => {}) as never);
    const signal = listen();
    process.emit(name, name);
    process.emit(name, name);
    expect(signal.reason).toMatchObject({ code: "ABORTED", message: expect.stringContaining(`stopped by ${name};`) });
    expect(exit).not.toHaveBeenCalled();
  });

  it("SIGHUP is left to another who listens to it", () => {
    const signal = listen();
    const reload = vi.fn<() => void>();
    process.on("SIGHUP", reload);
    process.emit("SIGHUP", "SIGHUP");
    process.off("SIGHUP", reload);
    expect(signal.aborted).toBe(false);
    expect(reload).toHaveBeenCalledOnce();
  });

  it("is listened to no longer than a run takes, however it ends", async () => {
    vi.spyOn(process.stdout, "write").mockReturnValue(true);
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    expect(await run(["completion", "bash"], {})).toBe(0);
    expect(await run(["nonsense"], {})).toBe(2);
    expect(await run(["run", "/nowhere"], {})).toBe(2);
    expect(listeners()).toEqual(before);
  });
});
