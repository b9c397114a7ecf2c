export type { ConformanceCase } from "./conformance.js";
export { type StoreFixture, storeSuite } from "./store-suite.js";
export { type SourceFixture, sourceSuite } from "./source-suite.js";
export { type MemoryFile, MemoryStore, type MemoryStoreOptions } from "./memory-store.js";
export {
  type MemoryCollection,
  type MemoryEntry,
  type MemoryFaults,
  type MemoryItem,
  MemorySource,
  type MemorySourceOptions,
} from "./memory-source.js";
export { withinFixture } from "./within-fixture.js";
