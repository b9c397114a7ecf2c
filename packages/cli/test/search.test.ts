import { BackupError, type Store } from "@backup/core";
import { describe, expect, it } from "vitest";
import { parseQuery } from "../src/look/query.js";
import { type Search, search } from "../src/look/search.js";
import type { StoredMessage } from "../src/look/stored-message.js";

const FILES = new Map([
  ["a", "From: a@b\r\nSubject: first\r\n\r\nneedle"],
  ["b", `From: a@b\r\nX-Long: ${"x".repeat(100_000)}\r\nSubject: second\r\n\r\nneedle`],
  ["c", "no header that ends, needle"],
]);

interface Asked {
  readonly heads: string[];
  readonly whole: string[];
}

/** A store of these files, which notes what is read. */
function storeOf(asked: Asked, { canReadHeads = true } = {}): Store {
  const store: Partial<Store> = {
    async heads(paths, bytes) {
      asked.heads.push(...paths);
      const found = canReadHeads ? paths.flatMap((path) => [[path, FILES.get(path)] as const]) : [];
      return new Map(
        found.flatMap(([path, text]) => (text === undefined ? [] : [[path, Buffer.from(text).subarray(0, bytes)]])),
      );
    },
    async read(path) {
      asked.whole.push(path);
      const text = FILES.get(path);
      if (text === undefined) throw new BackupError("NOT_FOUND", `there is no ${path}`);
      return Buffer.from(text);
    },
  };
  return store as Store;
}

const message = (path: string): StoredMessage => ({
  folder: "f",
  directory: "f",
  uid: 1,
  id: "V1U1",
  path,
  date: 0,
  letters: "",
  size: FILES.get(path)?.length ?? 0,
  digest: "",
});

async function run(terms: readonly string[], paths: readonly string[], options = {}) {
  const asked: Asked = { heads: [], whole: [] };
  const failed: string[] = [];
  const given: Search = {
    query: parseQuery(terms),
    store: storeOf(asked, options),
    signal: AbortSignal.timeout(10_000),
    onFailure: ({ path }, error) => failed.push(`${path}: ${error.message}`),
  };
  const found: string[] = [];
  for await (const { message: each } of search(paths.map(message), given)) found.push(each.path);
  return { found, failed, asked };
}

describe("a search", () => {
  it("reads no more than it has to", async () => {
    expect(await run(["subject:first"], ["a"])).toMatchObject({ found: ["a"], asked: { heads: ["a"], whole: [] } });
    expect(await run(["subject:other", "needle"], ["a"])).toMatchObject({ found: [], asked: { whole: [] } });
    expect(await run(["first"], ["a"])).toMatchObject({ found: ["a"], asked: { whole: [] } });
    expect(await run(["needle"], ["a"])).toMatchObject({ found: ["a"], asked: { whole: ["a"] } });
  });

  it("finds what is far back in a long header, and in a message without one", async () => {
    expect(await run(["subject:second"], ["b"])).toMatchObject({ found: ["b"], asked: { heads: ["b", "b"] } });
    expect(await run(["needle"], ["c"])).toMatchObject({ found: [] });
  });

  it("reads the whole file where its beginning cannot be read alone", async () => {
    expect(await run(["subject:first"], ["a"], { canReadHeads: false })).toMatchObject({ found: ["a"], failed: [] });
  });

  it("names a message that is gone meanwhile, and keeps the order of the others", async () => {
    expect(await run(["needle"], ["b", "gone", "a"])).toMatchObject({
      found: ["b", "a"],
      failed: ["gone: there is no gone"],
    });
  });

  it("ends with an error that is not of one message", async () => {
    const store = storeOf({ heads: [], whole: [] });
    store.read = async () => {
      throw new BackupError("CONNECTION_LOST", "lost");
    };
    const given: Search = { query: parseQuery(["needle"]), store, signal: AbortSignal.timeout(10_000), onFailure() {} };
    await expect(search([message("a")], given).next()).rejects.toThrow("lost");
  });
});
