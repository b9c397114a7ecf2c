import { BackupError, type EventSink, LocalTree, type Store } from "@backup/core";
import { rawOf } from "./raw-path.js";
import type { CopyBack, TreeTargetOptions } from "./restore-tree.js";
import { walkRules } from "./walk-rules.js";
import { runWalk } from "./walk-run.js";

interface Restoring extends TreeTargetOptions {
  readonly store: Store;
  readonly onEvent: EventSink;
  readonly signal: AbortSignal;
}

/** How a tree is brought back entry by entry. @throws BackupError TRANSPORT_MISSING */
export async function restoreByWalking(options: Restoring): Promise<CopyBack> {
  const { store, at, path = "", overwrite, onEvent, signal } = options;
  const cut = path.lastIndexOf("/");
  // A part arrives without the directories above it.
  const from = await store.tree?.(path.slice(0, Math.max(0, cut)), {}, signal);
  if (!from) throw new BackupError("TRANSPORT_MISSING", `${store.name} has no SFTP; restore it by rsync`);
  const to = typeof at === "string" ? new LocalTree(at) : at.tree();
  const only = path === "" ? undefined : rawOf(path.slice(cut + 1));
  let isTold = false;
  const onUncarried = (message: string): void => {
    if (!isTold) onEvent({ type: "warning", code: "ATTRIBUTES_LEFT_OUT", message });
    isTold = true;
  };
  return async (task, onItem) => {
    if (only !== undefined && !(await from.entry(only, signal)))
      throw new BackupError("NOT_FOUND", `${store.name} has no ${path}; backup ls ${store.name} shows what there is`);
    if (task === "transfer") await to.makeDirectory("", signal);
    const how = { rules: walkRules({}), oneFileSystem: false, sizeOnly: false, isShared: false, isKept: true };
    const copied = await runWalk({
      ...how,
      task,
      from,
      to,
      only,
      isOnlyMissing: !overwrite,
      onItem,
      onUncarried,
      onBackup: async () => {},
      signal,
    });
    if (task === "transfer") await to.finish(signal);
    return copied;
  };
}
