import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { roundsOf } from "../../../test/support/rounds.js";
import { compare } from "../src/compare.js";
import { unlikelyMoved } from "../src/deletion-limit.js";
import {
  BackupError,
  type Copy,
  type Known,
  type Path,
  backup,
  contentOf,
  listBackup,
  readBackup,
} from "../src/index.js";
import { plan, removals } from "../src/plan.js";
import {
  type MemoryCollection,
  type MemoryEntry,
  type MemoryItem,
  MemorySource,
  MemoryStore,
} from "../src/testing/index.js";

/** Few values of everything, so that they meet: ids, contents, labels, times and paths all come again. */
const PATHS: readonly Path[] = ["A", "A/sub", "B", "C"];
const TEXTS = ["", "one", "two", "a text that is longer than one piece", "eno"];
const LABELS = ["", "S", "FS"];
const IDS = ["1", "2", "3", "4", "5", "6"];
const NEVER = new AbortController().signal;
const naming = new MemorySource().naming({ colon: true });

/** The same id and revision are always the same bytes: the revision says which text. */
function entryOf(id: string, text: number, label: string): MemoryEntry {
  return { id, rev: `r${text}`, label, bytes: Buffer.from(TEXTS[text] ?? ""), mtime: 1_600_000_000_000 + text * 1000 };
}

const entries = fc.uniqueArray(
  fc
    .tuple(fc.constantFrom(...IDS), fc.nat(TEXTS.length - 1), fc.constantFrom(...LABELS))
    .map(([id, text, label]) => entryOf(id, text, label)),
  { selector: ({ id }) => id, maxLength: 6 },
);
const sidecar = fc.option(
  fc.nat(2).map((n) => ({ bytes: Buffer.from("x".repeat(n)), mtime: 5000 })),
  { nil: undefined },
);
const collection = fc
  .tuple(fc.constantFrom(...PATHS), entries, sidecar)
  .map(
    ([path, held, side]): MemoryCollection => (side ? { path, entries: held, sidecar: side } : { path, entries: held }),
  );
const listing = fc.uniqueArray(collection, { selector: ({ path }) => path, minLength: 1, maxLength: 4 });

/** What somebody or something does to the destination between two runs; `at` chooses the file. */
const tampering = fc.record({
  what: fc.constantFrom(
    "foreign",
    "double",
    "damage",
    "drop",
    "relabel",
    "old revision",
    "lose checkpoint",
    "spoil checkpoint",
  ),
  at: fc.nat(50),
});
const step = fc.record({
  data: listing,
  tampering: fc.array(tampering, { maxLength: 4 }),
  kill: fc.option(fc.nat(45), { nil: undefined, freq: 3 }),
  unlisted: fc.option(fc.constantFrom(...PATHS), { nil: undefined, freq: 4 }),
  unread: fc.option(fc.constantFrom(...IDS), { nil: undefined, freq: 4 }),
  vanishing: fc.option(fc.constantFrom(...IDS), { nil: undefined, freq: 4 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

describe("runs that are killed, fail and meet a changed destination", () => {
  it("lose nothing that is wanted, and converge on the next good run", { timeout: 180_000 }, async () => {
    const world = fc.record({
      steps: fc.array(step, { minLength: 1, maxLength: 4 }),
      last: fc.option(listing, { nil: undefined }),
      colon: fc.boolean(),
      fingerprints: fc.boolean(),
      proves: fc.boolean(),
      twins: fc.boolean(),
      batchFiles: fc.constantFrom(1, 3, 100),
    });
    await fc.assert(
      fc.asyncProperty(world, async ({ steps, last, colon, fingerprints, proves, twins, batchFiles }) => {
        const source = new MemorySource([], { fingerprints, proves, twins });
        let store = new MemoryStore({ colon, batchFiles });
        const foreign = new Map<Path, string>();
        for (const one of steps) {
          for (const { what, at } of one.tampering) tamper(store, foreign, what, at);
          store = await runStep(source, store, one);
          expectForeign(store, foreign);
        }
        if (last) source.data = last;
        await goodRun(source, store, foreign);
      }),
      { numRuns: roundsOf(1000) },
    );
  });

  it("converge from every single step at which they can be killed", { timeout: 180_000 }, async () => {
    const world = fc.record({
      before: listing,
      after: listing,
      tampering: fc.array(tampering, { maxLength: 3 }),
      proves: fc.boolean(),
      twins: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(world, async ({ before, after, tampering: done, proves, twins }) => {
        for (let kill = 1; ; kill++) {
          const source = new MemorySource(before, { proves, twins });
          let store = new MemoryStore();
          const foreign = new Map<Path, string>();
          await backup({ source, store });
          for (const { what, at } of done) tamper(store, foreign, what, at);
          const one = {
            data: after,
            kill,
            tampering: [],
            unlisted: undefined,
            unread: undefined,
            vanishing: undefined,
          };
          const steps = store.steps;
          const next = await runStep(source, store, one);
          const killed = next !== store;
          store = next;
          await goodRun(source, store, foreign);
          if (!killed) return;
          expect(kill).toBeLessThan(steps + 500);
        }
      }),
      { numRuns: roundsOf(80) },
    );
  });
});

/** One run with the step's faults; the store is a new one when this one was killed. */
async function runStep(source: MemorySource, store: MemoryStore, one: Step): Promise<MemoryStore> {
  source.data = one.data;
  source.faults = {
    list: (path) => (path === one.unlisted ? unavailable(path) : undefined),
    read: ({ id }) => (id === one.unread ? new Error("unreadable") : undefined),
    vanish: ({ id }) => id === one.vanishing,
  };
  const wanted = new Set(one.data.flatMap(keysOf));
  const safeBefore = [...heldKeys(store)].filter((key) => wanted.has(key));
  const digestsBefore = heldDigests(store);
  const keysBefore = heldKeys(store);
  if (one.kill !== undefined) store.killAfter(one.kill);
  let next = store;
  try {
    const { result, failed } = await backup({ source, store });
    expect(result).toBe(failed > 0 ? "partial" : "done");
    if (result === "partial") expect([...heldDigests(store)]).toEqual(expect.arrayContaining([...digestsBefore]));
    // Where a collection could not be listed, nothing leaves the one that it is in.
    if (result === "partial" && !one.unread)
      expect([...heldKeys(store)]).toEqual(expect.arrayContaining([...keysBefore]));
    if (!one.unlisted && !one.unread && !one.vanishing) expectEqual(store, one.data);
    await expectGaps(store, one);
  } catch (error) {
    if (!(error instanceof Error && error.message === "killed")) throw error;
    next = store.reopen();
  } finally {
    store.killAfter(Number.POSITIVE_INFINITY);
  }
  expect([...heldKeys(next)]).toEqual(expect.arrayContaining(safeBefore));
  source.faults = {};
  return next;
}

/** A run without faults makes the store equal to the source; the next two have nothing to do. */
async function goodRun(source: MemorySource, store: MemoryStore, foreign: ReadonlyMap<Path, string>): Promise<void> {
  const report = await backup({ source, store });
  expect(report.result).toBe("done");
  expectEqual(store, source.data);
  expectForeign(store, foreign);
  expect(store.leftovers()).toEqual([]);
  const files = store.files();
  for (let again = 0; again < 2; again++) {
    const before = store.steps;
    const { added, moved, renamed, removed } = await backup({ source, store });
    expect({ added, moved, renamed, removed }).toEqual({ added: 0, moved: 0, renamed: 0, removed: 0 });
    expect(store.files()).toEqual(files);
    // The lease is a step of its own, the report another. A directory made below a collection that was skipped changed
    // that one's stamp: then the checkpoint is written once more, and nothing else.
    expect(store.steps - before).toBeLessThanOrEqual(again === 0 ? 3 : 2);
  }
  await expectAccounted(source, store);
}

/** The report is of what is there, and what is there is what the source has. */
async function expectAccounted(source: MemorySource, store: MemoryStore): Promise<void> {
  const { inventory } = await readBackup(store, NEVER);
  expect(inventory).toMatchObject({ source: source.id, result: "done", complete: inventory?.finished, unlisted: [] });
  const said = inventory?.collections.map(({ path, items, files, gaps, kept }) => ({ path, items, files, gaps, kept }));
  const wanted = source.data.map(({ path, entries: { length } }) => ({ path, items: length, files: length }));
  const whole = wanted.map((one) => ({ ...one, gaps: [], kept: 0 }));
  expect(said).toEqual(whole.toSorted((a, b) => (a.path < b.path ? -1 : 1)));
  const listed = await listBackup({ store, layout: source, inventory, signal: NEVER });
  expect(listed.filter(({ isDifferent }) => isDifferent)).toEqual([]);
}

/** What did not arrive is named, and nothing else is. */
async function expectGaps(store: MemoryStore, { data, unlisted, vanishing }: Step): Promise<void> {
  const held = heldKeys(store);
  const { inventory } = await readBackup(store, NEVER);
  const gaps = new Map(inventory?.collections.map((holding) => [holding.path, holding.gaps]));
  for (const one of data) {
    if (one.path === unlisted) continue;
    const missing = one.entries.filter((_entry, at) => !held.has(keysOf(one)[at] ?? ""));
    const named = missing.map(({ id }) => id).filter((id) => id !== vanishing);
    expect(gaps.get(one.path)).toEqual(named.toSorted());
  }
}

function unavailable(path: Path): Error {
  return new BackupError("COLLECTION_UNAVAILABLE", `${path} cannot be listed`);
}

/** One text for each item, the same for its file. */
function keyOf(path: Path, id: string, rev: string, digest: string): string {
  return [path, id, rev, digest].join(" ");
}

function keysOf({ path, entries: held }: MemoryCollection): readonly string[] {
  return held.map(({ id, rev = "", bytes }) => keyOf(path, id, rev, contentOf(bytes).digest));
}

/** Files that hold an item as their name says, by the collection's path. */
function heldFiles(
  store: MemoryStore,
): readonly { readonly path: Path; readonly key: string; readonly digest: string }[] {
  return Array.from(store.files(), ([path, { bytes, mtime }]) => {
    const known = naming.identify({ path, size: bytes.byteLength, mtime });
    const { digest } = contentOf(bytes);
    if (!known?.content || known.content.digest !== digest) return [];
    const at = path.slice(0, path.lastIndexOf("/cur/"));
    return [{ path, key: keyOf(at, known.identity.id, known.identity.rev, digest), digest }];
  }).flat();
}

const heldKeys = (store: MemoryStore): ReadonlySet<string> => new Set(heldFiles(store).map(({ key }) => key));
const heldDigests = (store: MemoryStore): ReadonlySet<string> => new Set(heldFiles(store).map(({ digest }) => digest));

function tamper(store: MemoryStore, foreign: Map<Path, string>, what: string, at: number): void {
  const files = [...store.files()].filter(([path]) => path.includes("/cur/") && !foreign.has(path));
  const [path, file] = files[at % Math.max(1, files.length)] ?? [];
  if (what === "foreign") {
    const places = ["A/cur/1", "A/note.txt", "B/cur/1:2,S", "C/sub/cur/keep", "other/file", "C/.hidden", "top"];
    const place = places[at % places.length] ?? "top";
    store.plant(place, Buffer.from(place));
    foreign.set(place, place);
  } else if (what === "lose checkpoint") store.snatch(".backup/checkpoint.json");
  else if (what === "spoil checkpoint") store.plant(".backup/checkpoint.json", Buffer.from('{"format":1,"sou'));
  else if (path && file) {
    const relabelled = `${path.slice(0, path.lastIndexOf("2,"))}2,X${at}`;
    if (what === "double" || what === "relabel") store.plant(relabelled, file.bytes, file.mtime);
    if (what === "drop" || what === "relabel" || what === "damage") store.snatch(path);
    if (what === "damage") store.plant(at % 2 ? path : relabelled, file.bytes.subarray(1), file.mtime);
    if (what === "old revision") store.plant(path.replace(/~r\d/, "~r9"), file.bytes, file.mtime);
  }
}

/** Every item is there once under its own name, with its bytes and time, and nothing else that is ours. */
function expectEqual(store: MemoryStore, data: readonly MemoryCollection[]): void {
  const separator = [...store.files().keys()].some((path) => path.includes(";2,")) ? ";" : ":";
  const wanted = new Map<Path, string>();
  for (const { path, entries: held, sidecar: side } of data) {
    for (const { id, rev = "1", label = "", bytes, mtime } of held) {
      const item: MemoryItem = { collection: path, id, rev, label, size: bytes.byteLength, mtime };
      const place = new MemorySource().naming({ colon: separator === ":" }).path(item, contentOf(bytes));
      wanted.set(place, `${mtime} ${Buffer.from(bytes).toString()}`);
    }
    if (side) wanted.set(`${path}/labels`, `${side.mtime} ${Buffer.from(side.bytes).toString()}`);
  }
  const found = new Map<Path, string>();
  for (const [path, { bytes, mtime }] of store.files())
    if (naming.identify({ path, size: bytes.byteLength, mtime }))
      found.set(path, `${mtime} ${Buffer.from(bytes).toString()}`);
  expect(found).toEqual(wanted);
}

function expectForeign(store: MemoryStore, foreign: ReadonlyMap<Path, string>): void {
  const files = store.files();
  for (const [path, text] of foreign) expect(Buffer.from(files.get(path)?.bytes ?? []).toString()).toBe(text);
}

describe("compare, plan and removals", () => {
  /** Files of a collection: any id, revision, label and content, several of one id too. */
  const known = fc
    .uniqueArray(
      fc.tuple(fc.constantFrom(...IDS), fc.nat(TEXTS.length - 1), fc.constantFrom(...LABELS), fc.boolean()),
      { selector: ([id, text, label]) => `${id} ${text} ${label}`, maxLength: 12 },
    )
    .map((files) => files.map(([id, text, label, whole]) => knownOf("A", entryOf(id, text, label), whole)));
  const items = entries.map((held) => held.map((entry) => itemOf("A", entry)));

  it("do not remove, overwrite or rename away what is wanted", () => {
    fc.assert(
      fc.property(items, known, fc.boolean(), (wanted, files, disturbed) => {
        const delta = compare(wanted, files, naming, { disturbed });
        const work = plan([delta], naming);
        const arrived = work.puts.map((item) => ({ path: targetOf(item), digest: digestOf(item) }));
        const go = removals(work, arrived);
        const state = new Map(files.map(({ file }) => [file.path, true]));
        for (const { from, to } of work.renames) {
          expect(state.has(to)).toBe(false);
          expect(state.delete(from)).toBe(true);
          state.set(to, true);
        }
        for (const { path } of arrived) state.set(path, true);
        const removed = [
          ...go.deleted.map(({ file }) => file.path),
          ...go.replaced.map(({ file }) => file.path),
          ...go.spare,
        ];
        expect(new Set(removed).size).toBe(removed.length);
        for (const path of removed) {
          expect(arrived.some((one) => one.path === path)).toBe(false);
          expect(state.delete(path)).toBe(true);
        }
        expect([...state.keys()].toSorted()).toEqual(wanted.map(targetOf).toSorted());
        expect(delta.items).toBe(wanted.length);
        expect(delta.held).toBe(new Set(files.map(({ identity }) => identity.id)).size);
      }),
      { numRuns: roundsOf(3000) },
    );
  });

  it("find nothing to do where both listings are equal", () => {
    fc.assert(
      fc.property(entries, (held) => {
        const delta = compare(
          held.map((entry) => itemOf("A", entry)),
          held.map((entry) => knownOf("A", entry)),
          naming,
          { disturbed: true },
        );
        expect(delta).toEqual({
          renames: [],
          added: [],
          vanished: [],
          spare: [],
          superseded: [],
          stays: held.flatMap((entry) => {
            const { file, content } = knownOf("A", entry);
            return content ? [{ path: file.path, digest: content.digest, size: file.size, mtime: file.mtime }] : [];
          }),
          staying: new Set(held.map((entry) => knownOf("A", entry).content?.digest)),
          items: held.length,
          held: held.length,
        });
      }),
    );
  });

  it("turn what is proven into moves and links, and leave what has its target taken", () => {
    fc.assert(
      fc.property(entries, entries, entries, fc.nat(), fc.boolean(), (from, to, held, seed, isPartial) => {
        // Half of what is in B is damaged: then it is spare, under the name of the item that is to come.
        const there = held.map((entry, index) => knownOf("B", entry, ((seed >> index) & 1) === 1));
        // All of B is new but what is there already; everything in A has gone, but what is there stays in C.
        const gone = from.map((entry) => knownOf("A", entry));
        const stay = held.map((entry) => knownOf("C", entry));
        const deltas = [
          compare([], gone, naming, { disturbed: false }),
          compare(
            to.map((entry) => itemOf("B", entry)),
            there,
            naming,
            { disturbed: false },
          ),
          compare(
            held.map((entry) => itemOf("C", entry)),
            stay,
            naming,
            { disturbed: false },
          ),
        ];
        const vanished = deltas.flatMap((delta) => delta.vanished);
        const added = deltas.flatMap((delta) => delta.added);
        const files = [...gone, ...stay].map(copyOf);
        const pairs = added.flatMap((item) =>
          files.filter(({ digest }) => digest === digestOf(item)).map((file) => ({ item, file })),
        );
        const proven = pairs.filter((_pair, index) => ((seed >> (index % 16)) & 1) === 0);
        const work = plan(deltas, naming, { proven, isPartial });
        const occupied = new Set([...there, ...stay].map(({ file }) => file.path));
        const state = new Map([...gone, ...there, ...stay].map(({ file, content }) => [file.path, content?.digest]));
        const targets = new Set<Path>();
        const made = (move: { from: Path; to: Path }): void => {
          expect(occupied.has(move.to) || targets.has(move.to)).toBe(false);
          targets.add(move.to);
          const item = added.find((one) => targetOf(one) === move.to);
          expect(state.get(move.from)).toBe(item && digestOf(item));
          expect(work.puts).not.toContain(item);
          state.set(move.to, state.get(move.from));
        };
        for (const move of work.moves) {
          expect(work.vanished.some(({ file }) => file.path === move.from)).toBe(false);
          made(move);
          state.delete(move.from);
        }
        for (const link of work.links) made(link);
        expect(work.moves.length + work.links.length + work.puts.length).toBe(added.length);
        expect(work.moves.length + work.vanished.length).toBe(vanished.length);
        if (isPartial) expect(work.moves).toEqual([]);
        // What is proven and transferred all the same has its target taken.
        for (const { item } of proven) if (work.puts.includes(item)) expect(occupied.has(targetOf(item))).toBe(true);
      }),
      { numRuns: roundsOf(2000) },
    );
  });

  it("never remove a path that was just written, whatever a naming makes of two items", () => {
    fc.assert(
      fc.property(known, fc.array(fc.nat(20)), (files, choices) => {
        const half = Math.floor(files.length / 2);
        const work = { vanished: files.slice(half), spare: files.slice(0, half).map(({ file }) => file.path) };
        const written = new Set(choices.flatMap((at) => files[at]?.file.path ?? []));
        const go = removals(
          work,
          Array.from(written, (path) => ({ path, digest: "of none" })),
        );
        const removed = [...go.deleted, ...go.replaced].map(({ file }) => file.path).concat(go.spare);
        expect(removed.filter((path) => written.has(path))).toEqual([]);
        expect(removed.length).toBe(files.filter(({ file }) => !written.has(file.path)).length);
      }),
    );
  });

  it("count a vanished file as replaced only for bytes that arrived, each once", () => {
    fc.assert(
      fc.property(known, entries, (files, came) => {
        const arrived = came.map((entry) => ({
          path: targetOf(itemOf("B", entry)),
          digest: contentOf(entry.bytes).digest,
        }));
        const { deleted, replaced } = removals({ vanished: files, spare: [] }, arrived);
        expect([...deleted, ...replaced].length).toBe(files.length);
        for (const digest of new Set(files.map(({ content }) => content?.digest))) {
          const copies = arrived.filter((one) => one.digest === digest).length;
          const alike = files.filter(({ content }) => content?.digest === digest).length;
          expect(replaced.filter(({ content }) => content?.digest === digest).length).toBe(Math.min(copies, alike));
        }
      }),
    );
  });

  it("take a vanished file for moved at most once for each item of its size and second", () => {
    fc.assert(
      fc.property(known, items, (files, added) => {
        const like = ({ size, mtime }: { size: number; mtime: number }): string =>
          `${size} ${Math.floor(mtime / 1000)}`;
        const left = unlikelyMoved(files, added);
        for (const one of new Set(files.map(({ file }) => like(file)))) {
          const alike = files.filter(({ file }) => like(file) === one).length;
          const coming = added.filter((item) => like(item) === one).length;
          expect(left.filter(({ file }) => like(file) === one).length).toBe(Math.max(0, alike - coming));
        }
      }),
    );
  });
});

function itemOf(collectionPath: Path, { id, rev = "1", label = "", bytes, mtime }: MemoryEntry): MemoryItem {
  return { collection: collectionPath, id, rev, label, size: bytes.byteLength, mtime };
}

/** The file of an entry; when it is not whole, the file is shorter than its name says. */
function knownOf(collectionPath: Path, entry: MemoryEntry, whole = true): Known {
  const path = naming.path(itemOf(collectionPath, entry), contentOf(entry.bytes));
  const size = whole ? entry.bytes.byteLength : entry.bytes.byteLength + 1;
  const file = { path, size, mtime: entry.mtime };
  const identified = naming.identify(file);
  if (!identified) throw new Error(`${path} is not recognised`);
  return { file, ...identified };
}

function copyOf({ file, content }: Known): Copy {
  return { ...file, digest: content?.digest ?? "" };
}

function targetOf(item: MemoryItem): Path {
  return naming.path(item, contentOf(bytesOf(item)));
}

function digestOf(item: MemoryItem): string {
  return contentOf(bytesOf(item)).digest;
}

function bytesOf({ rev }: MemoryItem): Uint8Array {
  return Buffer.from(TEXTS[Number(rev.slice(1))] ?? "");
}
