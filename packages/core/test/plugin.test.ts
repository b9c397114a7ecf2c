import { describe, expect, it } from "vitest";
import { PLUGIN_API, PluginRegistry, type SourcePlugin, backup, definePlugin } from "../src/index.js";
import { MemorySource, MemoryStore } from "../src/testing/index.js";
import { entry, folder } from "./support/world.js";

const memory = definePlugin({
  name: "memory",
  summary: "data in memory",
  layout: new MemorySource(),
  create: async ({ text }: { readonly text: string }) => new MemorySource([folder("A", entry("1", text))]),
});
const context = { onEvent: () => {}, trace: false, secret: () => Promise.reject(new Error("needs none")) };

describe("a plugin", () => {
  it("is of this version, and its source can be backed up", async () => {
    expect(memory).toMatchObject({ api: PLUGIN_API, kind: "source", name: "memory", summary: "data in memory" });
    await using source = await memory.create({ text: "one" }, context);
    expect(await backup({ source, store: new MemoryStore() })).toMatchObject({ result: "done", added: 1 });
  });
});

describe("a registry", () => {
  const newer: SourcePlugin<never> = { ...memory, api: PLUGIN_API + 1 };

  it("lists names without loading anything, and loads what is asked for", async () => {
    const loaded: string[] = [];
    const loader = (name: string) => async () => {
      loaded.push(name);
      return memory;
    };
    const registry = new PluginRegistry({ one: loader("one"), two: loader("two") });
    expect(registry.names).toEqual(["one", "two"]);
    expect(loaded).toEqual([]);
    expect(await registry.load("two")).toBe(memory);
    expect(loaded).toEqual(["two"]);
  });

  it.each(["three", "", "constructor", "__proto__", "toString"])(
    "has no type %j, and says which there are",
    async (name) => {
      const registry: PluginRegistry<Record<string, () => Promise<SourcePlugin<never>>>> = new PluginRegistry({
        one: async () => memory,
        two: async () => memory,
      });
      await expect(registry.load(name)).rejects.toMatchObject({ name: "BackupError", code: "PLUGIN_UNKNOWN" });
      await expect(registry.load(name)).rejects.toThrow("the types are: one, two");
    },
  );

  it("refuses a plugin that was made for another version", async () => {
    const registry = new PluginRegistry({ newer: async () => newer });
    await expect(registry.load("newer")).rejects.toMatchObject({ code: "PLUGIN_UNKNOWN" });
    await expect(registry.load("newer")).rejects.toThrow(/version 2 .* version 1/);
  });
});
