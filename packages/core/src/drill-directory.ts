import type { DrillPlace, DrillRequest } from "./drill.js";
import { type BackupError, isBackupError } from "./errors.js";
import { LocalStore } from "./local-store.js";
import type { Body, Content, Item, Known, Path, Stored } from "./model.js";
import { parentOf } from "./paths.js";

interface DrillItem extends Item {
  readonly path: Path;
  readonly known: Known;
}

/** A drill that brings files back to this empty directory of this machine, which its caller removes. */
export function drillInto(directory: string): DrillPlace {
  return async ({ store, sample, signal, onEvent }) => {
    const items = new Map(itemsOf(sample).map((item) => [item.path, item]));
    const tell = ({ collection, path }: DrillItem, code: BackupError["code"], message: string): void =>
      onEvent({ type: "failed", collection, item: path, code, message });
    const here = new LocalStore(directory);
    await using _lease = await here.lease(signal);
    const directories = [...new Set(Array.from(items.keys(), parentOf))];
    await here.makeDirectories(directories, signal);
    const written = new Map<Path, Content>();
    const bodies = bodiesOf(
      items,
      store.contents(
        Array.from(items.values(), ({ known }) => known.file),
        signal,
      ),
    );
    for await (const outcomes of here.put(bodies, ({ path }) => ({ path }), signal))
      for (const outcome of outcomes)
        if (!("error" in outcome)) written.set(outcome.path, outcome.content);
        else if (isBackupError(outcome.error)) tell(outcome.item, outcome.error.code, outcome.error.message);
        else throw outcome.error;
    const files = new Map((await here.list(directories, signal)).map((file) => [file.path, file]));
    let good = 0;
    for await (const digested of here.digests([...written.keys()], signal)) {
      const { path } = digested;
      const item = items.get(path);
      if (!item) continue;
      const expected = item.known.content ?? written.get(path);
      const wrong =
        "error" in digested ? digested.error.message : whatIsWrong(item, files.get(path), digested.digest, expected);
      if (wrong === undefined) good++;
      else tell(item, "ITEM_UNREADABLE", wrong);
    }
    return { good, isLeft: false };
  };
}

function itemsOf(sample: DrillRequest["sample"]): readonly DrillItem[] {
  return sample.flatMap(({ path: collection, known: all }) =>
    all.flatMap((known) => {
      const { file, identity, mtime = file.mtime } = known;
      return identity.sidecar ? [] : [{ ...identity, collection, size: file.size, mtime, path: file.path, known }];
    }),
  );
}

async function* bodiesOf(
  items: ReadonlyMap<Path, DrillItem>,
  contents: ReturnType<DrillRequest["store"]["contents"]>,
): AsyncGenerator<Body<DrillItem>> {
  for await (const content of contents) {
    const item = items.get(content.path);
    if (item) yield "error" in content ? { item, error: content.error } : { item, bytes: content.bytes };
  }
}

function whatIsWrong(
  { path, mtime }: DrillItem,
  file: Stored | undefined,
  digest: string,
  expected: Content | undefined,
): string | undefined {
  if (!file) return `${path} is not where it was restored to`;
  if (expected && file.size !== expected.size)
    return `${path} came back with ${file.size} bytes, and its name says ${expected.size}`;
  if (digest !== expected?.digest) return `${path} came back with other bytes than its name says`;
  // Disks keep times in steps of their own.
  if (Math.abs(file.mtime - mtime) >= 1000) return `${path} came back with another time than its name says`;
  return undefined;
}
