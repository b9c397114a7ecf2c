import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PluginContext } from "./plugin-context.js";
import { type PluginOptions, type Positional, camelCase } from "./plugin-options.js";

/** What a script was told it may be asked for, and by which arguments. */
export interface ScriptWords {
  /** Of the plugin: whose secret it is, where no word says it. */
  readonly name: string;
  readonly positionals: readonly Positional[];
  readonly options: PluginOptions;
  readonly partner?: string | undefined;
  /** As the plugin got them. */
  readonly args: Readonly<Record<string, unknown>>;
}

/** The first line that a script gets: its arguments by their names, those that are secrets as private files. */
export async function requestOf(
  { name: plugin, positionals, options, partner, args }: ScriptWords,
  context: PluginContext,
): Promise<object> {
  const names = [...positionals.map(({ name }) => name), ...Object.keys(options)];
  const values = names.map((name) => [name, args[camelCase(name)]] as const);
  const given = new Map(values.filter(([, value]) => value !== undefined));
  for (const [name, { isSecret }] of Object.entries(options)) {
    const whose = partner === undefined ? undefined : args[camelCase(partner)];
    if (!isSecret || (!given.has(name) && typeof whose !== "string")) continue;
    const owner = typeof whose === "string" ? whose : plugin;
    const query = { partner: owner, extensions: [".password"], option: name };
    const secret = await context.secret(query);
    const file = join(await context.temporaryDirectory(), name);
    await writeFile(file, secret.reveal(), { mode: 0o600 });
    given.set(name, file);
  }
  return { api: 1, arguments: Object.fromEntries(given) };
}
