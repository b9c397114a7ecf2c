import type { Store } from "../store.js";
import { within } from "../within-store.js";
import type { StoreFixture } from "./store-fixture.js";

const INSIDE = "2026/11/23";

/** The stores of a fixture, each seen through a directory in it: that promises all that a store promises. */
export function withinFixture(fixture: StoreFixture): StoreFixture {
  const outers = new Map<Store, Store>();
  const inside = (outer: Store): Store => {
    const store = within(outer, INSIDE, {
      async lease(signal) {
        const lease = await outer.lease(signal);
        await outer.makeDirectories([`${INSIDE}/.backup`], signal);
        return lease;
      },
    });
    outers.set(store, outer);
    store[Symbol.asyncDispose] = () => outer[Symbol.asyncDispose]();
    return store;
  };
  const outerOf = (store: Store): Store => {
    const outer = outers.get(store);
    if (!outer) throw new TypeError("it is not of this fixture");
    return outer;
  };
  const leftovers = async (store: Store): Promise<readonly string[]> =>
    (await fixture.leftovers?.(outerOf(store))) ?? [];
  return {
    ...fixture,
    open: async () => inside(await fixture.open()),
    reopen: async (store) => inside(await fixture.reopen(outerOf(store))),
    ...(fixture.leftovers ? { leftovers } : {}),
  };
}
