import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planMoves } from "../src/move-plan.js";
import { type TreeFile, likelyMoves, proveMoves } from "../src/moves.js";
import { above } from "../src/raw-path.js";

/** Files by path, each with its bytes in a word. Size and time follow from the word, so that different ones look alike. */
type Tree = ReadonlyMap<string, string>;

const fileOf = (path: string, content: string): TreeFile => ({
  path,
  size: 1 + (content.charCodeAt(0) % 3),
  mtime: content.charCodeAt(0) % 2,
});

function directoriesOf(tree: Tree): ReadonlySet<string> {
  return new Set([...tree.keys()].flatMap((path) => [...above(path)]));
}

/** What a run finds out about two trees, and plans. */
function planFor(source: Tree, store: Tree) {
  const isAlike = (path: string): boolean => {
    const [here, there] = [source.get(path), store.get(path)];
    if (here === undefined || there === undefined) return false;
    const [one, other] = [fileOf(path, here), fileOf(path, there)];
    return one.size === other.size && one.mtime === other.mtime;
  };
  const wanted = [...source].filter(([path]) => !isAlike(path)).map(([path, content]) => fileOf(path, content));
  const gone = new Set([...store.keys()].filter((path) => !source.has(path)));
  const spare = [...store]
    .filter(([path]) => gone.has(path) || (source.has(path) && !isAlike(path)))
    .map(([path, content]) => fileOf(path, content));
  const moves = proveMoves(likelyMoves(wanted, spare), { wanted: source, spare: store });
  const [here, there] = [directoriesOf(source), directoriesOf(store)];
  const goneDirectories = new Set([...there].filter((path) => !here.has(path)));
  const newDirectories = new Set([...here].filter((path) => !there.has(path)));
  const trees = { wanted, spare, gone, goneDirectories, newDirectories, made: new Set<string>() };
  return { moves, wanted, plan: planMoves(moves, trees) };
}

/** The renames as a file system does them; what it would refuse throws. */
function applied(store: Tree, { directories, files, suspects }: ReturnType<typeof planFor>["plan"]): Tree {
  const tree = new Map(store);
  for (const { from, to } of directories) {
    const inside = [...tree].filter(([path]) => path.startsWith(`${from}/`));
    if (inside.length === 0) throw new Error(`${from} is no directory`);
    if ([...tree.keys()].some((path) => path === to || path.startsWith(`${to}/`))) throw new Error(`${to} is there`);
    for (const [path, content] of inside) {
      tree.delete(path);
      tree.set(`${to}${path.slice(from.length)}`, content);
    }
  }
  for (const { from, to } of files) {
    const content = tree.get(from);
    if (content === undefined) throw new Error(`${from} is not there`);
    tree.delete(from);
    tree.set(to, content);
  }
  for (const path of suspects) tree.delete(path);
  return tree;
}

const name = fc.constantFrom("a", "b", "c", "d");
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => `${names.join("/")}.f`);
const content = fc.constantFrom("p", "q", "r", "s", "t", "u", "v", "w");
const anyTree = fc.array(fc.tuple(path, content), { maxLength: 14 }).map((files): Tree => new Map(files));

/** The same files under other names: directories renamed, and files exchanged. */
const changes = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant("rename" as const),
      from: name,
      to: fc.constantFrom("x", "y", "b/x", "a/y", "c/d/x"),
    }),
    fc.record({ kind: fc.constant("swap" as const), one: fc.nat(), other: fc.nat() }),
    fc.record({ kind: fc.constant("edit" as const), one: fc.nat(), content }),
    fc.record({ kind: fc.constant("delete" as const), one: fc.nat() }),
  ),
  { maxLength: 5 },
);

type Changes = typeof changes extends fc.Arbitrary<infer List> ? List : never;

function changed(before: Tree, list: Changes): Tree {
  const tree = new Map(before);
  for (const change of list) {
    const paths = [...tree.keys()];
    if (paths.length === 0) break;
    if (change.kind === "rename") {
      for (const each of paths)
        if (each.startsWith(`${change.from}/`) && !`${change.to}/`.startsWith(`${change.from}/`)) {
          const bytes = tree.get(each) ?? "";
          tree.delete(each);
          tree.set(`${change.to}${each.slice(change.from.length)}`, bytes);
        }
    } else if (change.kind === "swap") {
      const [one = "", other = ""] = [paths[change.one % paths.length], paths[change.other % paths.length]];
      const [first = "", second = ""] = [tree.get(one), tree.get(other)];
      tree.set(one, second).set(other, first);
    } else if (change.kind === "edit") tree.set(paths[change.one % paths.length] ?? "", change.content);
    else tree.delete(paths[change.one % paths.length] ?? "");
  }
  return tree;
}

describe("whatever was moved, exchanged, edited and deleted", () => {
  it("brings what is proven to where it belongs, and nothing to where it would pass for another", () => {
    fc.assert(
      fc.property(anyTree, changes, (before, list) => {
        const source = changed(before, list);
        const { moves, wanted, plan } = planFor(source, before);
        const after = applied(before, plan);
        for (const { to } of moves) expect(after.get(to)).toBe(source.get(to));
        for (const file of wanted) {
          const there = after.get(file.path);
          if (there === undefined) continue;
          const { size, mtime } = fileOf(file.path, there);
          const isTakenForIt = size === file.size && mtime === file.mtime;
          if (isTakenForIt) expect(there).toBe(source.get(file.path));
        }
        for (const [file, bytes] of before) if (source.get(file) === bytes) expect(after.get(file)).toBe(bytes);
      }),
      { numRuns: 5000 },
    );
  });

  it("says what everything is called afterwards", () => {
    fc.assert(
      fc.property(anyTree, changes, (before, list) => {
        const source = changed(before, list);
        const { plan } = planFor(source, before);
        const after = applied(before, plan);
        for (const [file, bytes] of after) {
          const origins = [...before].filter(([each, was]) => plan.nowAt(each) === file && was === bytes);
          expect(origins.length, file).toBeGreaterThan(0);
        }
        // A manifest that said two things of one name would call it damaged.
        const names = [...before.keys()].flatMap((file) => (plan.isRight(file) ? [plan.nowAt(file)] : []));
        expect(new Set(names).size).toBe(names.length);
      }),
      { numRuns: 2000 },
    );
  });
});

const treeOf = (files: Readonly<Record<string, string>>): Tree => new Map(Object.entries(files));

describe("a plan", () => {
  it("renames a directory once, with all that is in it", () => {
    const before = treeOf({ "a/1.f": "p", "a/2.f": "q", "a/b/3.f": "r", "a/b/c/4.f": "s" });
    const source = treeOf({ "z/1.f": "p", "z/2.f": "q", "z/b/3.f": "r", "z/b/c/4.f": "s" });
    const { plan } = planFor(source, before);
    expect(plan).toMatchObject({ directories: [{ from: "a", to: "z" }], files: [], suspects: [] });
  });

  it("renames a directory in a directory that was renamed too", () => {
    const before = treeOf({ "a/1.f": "p", "a/2.f": "q", "a/5.f": "t", "a/b/3.f": "r", "a/b/4.f": "s" });
    const source = treeOf({ "z/1.f": "p", "z/2.f": "q", "z/5.f": "t", "z/y/3.f": "r", "z/y/4.f": "s" });
    const { plan } = planFor(source, before);
    expect(plan.directories).toEqual([
      { from: "a", to: "z" },
      { from: "z/b", to: "z/y" },
    ]);
    expect(plan.files).toEqual([]);
  });

  it("exchanges two files by way of a third name, and no more than one", () => {
    const { plan } = planFor(treeOf({ a: "q", b: "p" }), treeOf({ a: "p", b: "q" }));
    expect(plan.files).toEqual([
      { from: "a", to: ".backup/moved/0" },
      { from: "b", to: "a" },
      { from: ".backup/moved/0", to: "b" },
    ]);
  });

  it("moves a chain from its end", () => {
    const { plan } = planFor(treeOf({ b: "p", c: "q", d: "r" }), treeOf({ a: "p", b: "q", c: "r" }));
    expect(plan.files).toEqual([
      { from: "c", to: "d" },
      { from: "b", to: "c" },
      { from: "a", to: "b" },
    ]);
  });

  it("takes of equal files those whose paths end alike", () => {
    const before = treeOf({ "one/x/LICENSE": "p", "two/y/LICENSE": "p" });
    const source = treeOf({ "three/y/LICENSE": "p", "four/x/LICENSE": "p" });
    const { plan } = planFor(source, before);
    expect(plan.directories.toSorted((a, b) => (a.from < b.from ? -1 : 1))).toEqual([
      { from: "one", to: "four" },
      { from: "two", to: "three" },
    ]);
  });

  it("removes what came with a directory and only looks like what is wanted there", () => {
    // "p" and "v" have the same size and time here.
    expect(fileOf("", "p")).toEqual(fileOf("", "v"));
    const before = treeOf({ "a/1.f": "q", "a/2.f": "r", "a/3.f": "p" });
    const source = treeOf({ "z/1.f": "q", "z/2.f": "r", "z/3.f": "v" });
    expect(planFor(source, before).plan).toMatchObject({ directories: [{ from: "a", to: "z" }], suspects: ["z/3.f"] });
  });

  it("leaves empty files alone", () => {
    expect(likelyMoves([{ path: "b", size: 0, mtime: 1 }], [{ path: "a", size: 0, mtime: 1 }])).toEqual([]);
  });
});
