import type { Store } from "@backup/core";
import { type StoreFixture, storeSuite } from "@backup/core/testing";
import { afterAll, beforeAll, describe, it } from "vitest";
import { openRcloneStore } from "../src/open-rclone-store.js";
import { type TestRemote, startLocal, startS3, startSftp } from "./support/remotes.js";

describe.each([
  ["a local disk", startLocal, {}],
  ["sftp", startSftp, {}],
  // Its server writes names into files of a disk, with an ending, and some of them wrongly into what it answers.
  ["S3", startS3, { many: 100, holds: (name: string) => !/['`*#\r]/.test(name) && Buffer.byteLength(name) < 200 }],
] as const)("rclone's remote %s as a Store", (_name, start, abilities) => {
  let there: TestRemote;
  beforeAll(async () => {
    there = await start();
  });
  afterAll(() => there?.[Symbol.asyncDispose]());

  const paths = new Map<Store, string>();
  const opened: Store[] = [];
  const open = (path: string): Store => {
    const store = openRcloneStore({ address: { remote: there.remote, path }, config: there.config });
    paths.set(store, path);
    opened.push(store);
    return store;
  };
  const fixture: StoreFixture = {
    ...abilities,
    open: async () => open(there.newPath()),
    reopen: async (store) => open(paths.get(store) ?? ""),
    async cleanup() {
      for (const store of opened.splice(0)) await store[Symbol.asyncDispose]();
    },
  };
  for (const { name, run } of storeSuite) it(name, () => run(fixture));
});
