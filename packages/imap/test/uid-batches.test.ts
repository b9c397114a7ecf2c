import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cutBatches, uidSet } from "../src/uid-batches.js";

const uids = fc.uniqueArray(fc.integer({ min: 1, max: 4294967295 }), { maxLength: 300 });

describe("UID batches", () => {
  it("writes sequence sets", () => {
    expect(uidSet([5, 1, 2, 3, 9, 8])).toBe("1:3,5,8:9");
    expect(uidSet([4294967295])).toBe("4294967295");
    expect(uidSet([])).toBe("");
  });

  it("names every UID once and no other", () => {
    fc.assert(
      fc.property(uids, fc.integer({ min: 1, max: 50 }), (list, step) => {
        const dense = list.map((_, index) => index * (index % step ? 1 : 2) + 1);
        for (const asked of [list, [...new Set(dense)]]) {
          const named = uidSet(asked)
            .split(",")
            .filter((part) => part !== "")
            .flatMap((part) => {
              const [first = 0, last = first] = part.split(":").map(Number);
              return Array.from({ length: last - first + 1 }, (_, index) => first + index);
            });
          expect(named).toEqual([...asked].toSorted((a, b) => a - b));
        }
      }),
    );
  });

  it("cuts by bytes and by the length of the set, keeps all", () => {
    fc.assert(
      fc.property(uids, fc.integer({ min: 0, max: 2000 }), (list, size) => {
        const limits = { bytes: 5000, setLength: 200 };
        const batches = cutBatches(
          list.map((uid) => ({ uid, size })),
          limits,
        );
        expect(batches.flat().map(({ uid }) => uid)).toEqual([...list].toSorted((a, b) => a - b));
        for (const batch of batches) {
          expect(uidSet(batch.map(({ uid }) => uid)).length).toBeLessThanOrEqual(limits.setLength);
          if (batch.length > 1) expect(batch.length * size).toBeLessThanOrEqual(limits.bytes);
        }
      }),
    );
  });
});
