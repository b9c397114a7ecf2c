import { describe, expect, it } from "vitest";
import { Bell } from "../src/bell.js";

describe("a bell", () => {
  it("is heard by who waits, and once by who comes later", async () => {
    const bell = new Bell();
    const heard = bell.heard();
    bell.ring();
    await heard;
    bell.ring();
    bell.ring();
    await bell.heard();
    let isHeard = false;
    const next = bell.heard().then(() => {
      isHeard = true;
    });
    await Promise.resolve();
    expect(isHeard).toBe(false);
    bell.ring();
    await next;
  });

  it("that is broken says so for ever, with the first error, whatever rang before", async () => {
    const bell = new Bell();
    const heard = bell.heard();
    bell.ring();
    bell.break(new Error("first"));
    bell.break(new Error("second"));
    await expect(heard).rejects.toThrow("first");
    await expect(bell.heard()).rejects.toThrow("first");
  });
});
