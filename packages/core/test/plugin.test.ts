import { describe, expect, expectTypeOf, it } from "vitest";
import {
  type LoadedPlugin,
  PLUGIN_API,
  type Plugin,
  PluginRegistry,
  backup,
  definePlugin,
  openPluginContext,
} from "../src/index.js";
import { MemorySource, MemoryStore } from "../src/testing/index.js";
import { entry, folder } from "./support/world.js";

const memory = definePlugin({
  kind: "source",
  name: "memory",
  summary: "data in memory",
  positionals: [
    { name: "text", describe: "what is in it" },
    { name: "dest", describe: "where to" },
    { name: "tone", describe: "how it is said", isOptional: true, choices: ["loud", "quiet"] },
  ],
  options: {
    "how-often": { type: "number", describe: "times", default: 1 },
    limit: { type: "number", describe: "at most" },
    mark: { type: "string", array: true, describe: "signs" },
    mode: { type: "string", choices: ["fast", "safe"], describe: "how" },
    upper: { type: "boolean", describe: "in capitals" },
  },
  layout: () => new MemorySource(),
  create: async ({ text }) => new MemorySource([folder("A", entry("1", text))]),
});
const never = new AbortController().signal;
const ARGS = { text: "one", dest: "/d", howOften: 1, mark: [], upper: false };

describe("a plugin", () => {
  it("is of this version, and its source can be backed up", async () => {
    expect(memory).toMatchObject({ api: PLUGIN_API, kind: "source", name: "memory", summary: "data in memory" });
    await using context = openPluginContext({ args: {}, onEvent: () => {}, signal: never });
    await using source = await memory.create(ARGS, context);
    expect(await backup({ source, store: new MemoryStore() })).toMatchObject({ result: "done", added: 1 });
  });

  it("gets arguments whose types follow from its words and options", () => {
    type Args = Parameters<typeof memory.create>[0];
    expectTypeOf<Args["text"]>().toEqualTypeOf<string>();
    expectTypeOf<Args["tone"]>().toEqualTypeOf<"loud" | "quiet" | undefined>();
    expectTypeOf<Args["howOften"]>().toEqualTypeOf<number>();
    expectTypeOf<Args["limit"]>().toEqualTypeOf<number | undefined>();
    expectTypeOf<Args["mark"]>().toEqualTypeOf<readonly string[]>();
    expectTypeOf<Args["mode"]>().toEqualTypeOf<"fast" | "safe" | undefined>();
    expectTypeOf<Args["upper"]>().toEqualTypeOf<boolean>();
    // @ts-expect-error -- no word and no option is called so
    expectTypeOf<Args["colour"]>().toBeUnknown();
  });
});

describe("a registry", () => {
  const named = (name: string, origin?: string): LoadedPlugin => ({ plugin: { ...memory, name }, origin });

  it("knows plugins by name", () => {
    const registry = new PluginRegistry([named("one"), named("two", "./two.mjs")]);
    expect(registry.actions.map(({ name }) => name)).toEqual(["one", "two"]);
    expect(registry.action("two").name).toBe("two");
  });

  it.each(["three", "", "constructor", "__proto__", "toString"])("has no type %j, and says which there are", (name) => {
    const registry = new PluginRegistry([named("one"), named("two")]);
    expect(() => registry.action(name)).toThrow(expect.objectContaining({ code: "PLUGIN_UNKNOWN" }));
    expect(() => registry.action(name)).toThrow("the types are: one, two");
  });

  it("refuses a plugin that was made for another version", () => {
    const newer = { plugin: { ...memory, api: PLUGIN_API + 1 }, origin: "notes" };
    expect(() => new PluginRegistry([newer])).toThrow(expect.objectContaining({ code: "PLUGIN_UNKNOWN" }));
    expect(() => new PluginRegistry([newer])).toThrow(/plugin memory of notes .* version 2 .* version 1/);
  });

  it("refuses two of one name, and says where they come from", () => {
    const create = () => new PluginRegistry([named("one"), named("one", "./mine.mjs")]);
    expect(create).toThrow(expect.objectContaining({ code: "PLUGIN_INVALID" }));
    expect(create).toThrow("two plugins are called one: that of backup itself and that of ./mine.mjs; leave one out");
  });

  it.each<[string, unknown, string]>([
    ["nothing", undefined, "it is no object"],
    ["a list", [], "it is no object"],
    ["a bad name", { ...memory, name: "My Type" }, "has a name that is not lower-case"],
    ["another kind", { ...memory, kind: "sink" }, "is of the kind 'sink', and there are: source, mirror"],
    ["no summary", { ...memory, summary: "" }, "memory has no summary of one line"],
    ["no create", { ...memory, create: undefined }, "memory has no create(), which a source has"],
    ["no words", { ...memory, positionals: undefined }, "memory has no positionals"],
    ["no destination", { ...memory, positionals: memory.positionals.slice(0, 1) }, "has no word 'dest'"],
    ["a word without a text", { ...memory, positionals: [{ name: "dest" }] }, "has a word (number 1) without"],
    ["no options", { ...memory, options: undefined }, "memory has no options"],
    ["an option with a bad name", { ...memory, options: { srcSecret: {} } }, "has an option 'srcSecret'"],
    [
      "an option of no type",
      { ...memory, options: { a: { describe: "a" } } },
      "has an option --a whose type is none of",
    ],
    ["half a restore", { ...memory, restore: {} }, "memory has a restore that has no open()"],
  ])("refuses %s", (_what, plugin, says) => {
    const create = () => new PluginRegistry([{ plugin: plugin as Plugin, origin: "./mine.mjs" }]);
    expect(create).toThrow(expect.objectContaining({ name: "BackupError" }));
    expect(create).toThrow(says);
    expect(create).toThrow("./mine.mjs");
  });
});
