import type { ConformanceCase } from "./conformance.js";
import { changeCases } from "./store-cases-change.js";
import { directoryCases } from "./store-cases-directory.js";
import { leaseCases } from "./store-cases-lease.js";
import { nameCases } from "./store-cases-name.js";
import { putCases } from "./store-cases-put.js";
import { readCases } from "./store-cases-read.js";
import { treeCases } from "./store-cases-tree.js";
import type { StoreFixture } from "./store-fixture.js";

export type { StoreFixture } from "./store-fixture.js";

/** Everything that a Store promises. Cases are independent of each other; run them one after the other. */
export const storeSuite: readonly ConformanceCase<StoreFixture>[] = [
  ...readCases,
  ...putCases,
  ...changeCases,
  ...directoryCases,
  ...treeCases,
  ...nameCases,
  ...leaseCases,
];
