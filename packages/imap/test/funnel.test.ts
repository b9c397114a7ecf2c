import { describe, expect, it } from "vitest";
import { Funnel } from "../src/funnel.js";

const turn = (): Promise<void> => new Promise(setImmediate);

describe("a funnel", () => {
  it("gives what comes in its order, and ends", async () => {
    const funnel = new Funnel<number>(100);
    const all = collect(funnel);
    for (const value of [1, 2, 3]) await funnel.push(value, 1);
    funnel.end();
    expect(await all).toEqual([1, 2, 3]);
  });

  it("holds a producer back while too much stands ready", async () => {
    const funnel = new Funnel<number>(10);
    await funnel.push(1, 10);
    let isThrough = false;
    const pushed = funnel.push(2, 1).then(() => (isThrough = true));
    await turn();
    expect(isThrough).toBe(false);
    const values = funnel.drain();
    expect(await values.next()).toEqual({ done: false, value: 1 });
    await pushed;
    expect(isThrough).toBe(true);
  });

  it("keeps whoever hands a value over until the next one is asked for", async () => {
    const funnel = new Funnel<number>(10);
    let isDone = false;
    const handed = funnel.hand(1).then(() => (isDone = true));
    const values = funnel.drain();
    await values.next();
    await turn();
    expect(isDone).toBe(false);
    const next = values.next();
    await handed;
    funnel.end();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it("throws the first error behind what stands ready", async () => {
    const funnel = new Funnel<number>(10);
    await funnel.push(1, 1);
    funnel.fail(new Error("first"));
    funnel.fail(new Error("second"));
    const values = funnel.drain();
    expect(await values.next()).toEqual({ done: false, value: 1 });
    await expect(values.next()).rejects.toThrow("first");
  });

  it("lets every producer go when nobody takes any more", async () => {
    const funnel = new Funnel<number>(1);
    const waiting = [funnel.hand(1), funnel.push(2, 5), funnel.hand(3)];
    const values = funnel.drain();
    await values.next();
    await values.return(undefined);
    await Promise.all(waiting);
    await funnel.push(4, 100);
  });
});

async function collect(funnel: Funnel<number>): Promise<readonly number[]> {
  const values: number[] = [];
  for await (const value of funnel.drain()) values.push(value);
  return values;
}
