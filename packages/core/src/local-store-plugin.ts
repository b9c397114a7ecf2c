import { LocalStore } from "./local-store.js";
import { definePlugin } from "./plugin.js";

/** A directory of this machine: it takes whatever no other store does, and so comes last. */
export const localStorePlugin = definePlugin({
  kind: "store",
  name: "local",
  summary: "a directory of this machine",
  form: "DIRECTORY",
  options: {},
  takes: () => true,
  open: async ({ dest }) => new LocalStore(dest),
});
