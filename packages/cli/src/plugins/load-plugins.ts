import { access, constants } from "node:fs/promises";
import { delimiter, dirname, join, resolve as resolvePath } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  BackupError,
  type LoadedPlugin,
  type Plugin,
  type ScriptPluginOptions,
  loadScriptPlugin,
  systemCode,
} from "@backup/core";
import { resolve } from "import-meta-resolve";
import { packageVersion } from "./package-version.js";
import { shareCore } from "./share-core.js";

/** What a person writes: the name of a package, or a file with a / in its path. */
export interface NamedPlugin {
  readonly name: string;
  /** The directory that a file is relative to, and whose node_modules are looked at first. */
  readonly from: string;
}

/** An executable that is found on the PATH: a plugin in any language. */
const SCRIPT = /^backup-source-[\w.-]+$/;
/** What Node.js loads; every other file is a program. */
const MODULE = /\.(?:js|mjs|cjs|ts|mts|cts)$/;

/** As npm allows it, and a path in it: `@alice/notes`, `notes/more`. */
const PACKAGE = /^(?:@[a-z0-9-~][a-z0-9-._~]*\/)?[a-z0-9-~][a-z0-9-._~]*(?:\/[^.].*)?$/i;

/**
 * Loads plugins by their names, one after the other, and those that are named twice once. Nothing is looked for.
 * @throws BackupError PLUGIN_MISSING, PLUGIN_INVALID
 */
export async function loadPlugins(
  names: readonly NamedPlugin[],
  context: ScriptPluginOptions,
): Promise<readonly LoadedPlugin[]> {
  const loaded = new Map<string, readonly LoadedPlugin[]>();
  for (const named of names) {
    const address = await addressOf(named, context.env);
    if (!loaded.has(address.href)) loaded.set(address.href, await load(address, named.name, context));
  }
  return [...loaded.values()].flat();
}

/** A path of a file: absolute, or one that says where it begins. */
function isFile(name: string): boolean {
  return /^(?:\.{0,2}\/|file:)/.test(name) || !PACKAGE.test(name);
}

async function addressOf({ name, from }: NamedPlugin, env: NodeJS.ProcessEnv): Promise<URL> {
  if (SCRIPT.test(name)) return pathToFileURL(await onPath(name, env));
  if (!isFile(name)) return addressOfPackage(name, from);
  const file = name.startsWith("file:") ? fileURLToPath(name) : resolvePath(from, name);
  try {
    await access(file);
    return pathToFileURL(file);
  } catch (error) {
    const reason = systemCode(error) ?? "unknown error";
    throw new BackupError("PLUGIN_MISSING", `the plugin ${name} cannot be read (${reason}); there is no file ${file}`, {
      cause: error,
    });
  }
}

/** Of the directory's packages, else of those that this program is installed among. */
function addressOfPackage(name: string, from: string): URL {
  for (const parent of [pathToFileURL(`${from}/`).href, import.meta.url])
    try {
      return new URL(resolve(name, parent));
    } catch (error) {
      const code = systemCode(error);
      if (code === "ERR_MODULE_NOT_FOUND") continue;
      throw cannot(name, error);
    }
  throw new BackupError(
    "PLUGIN_MISSING",
    `there is no package ${name} in ${from} or above; npm install ${name} there, or name a file with ./ before it`,
  );
}

async function load(address: URL, name: string, context: ScriptPluginOptions): Promise<readonly LoadedPlugin[]> {
  const file = fileURLToPath(address);
  if (!MODULE.test(file)) {
    const plugin = await loadScriptPlugin(file, context);
    return [{ plugin, origin: file, version: plugin.version }];
  }
  shareCore();
  let module: unknown;
  try {
    module = await import(address.href);
  } catch (error) {
    throw cannot(name, error);
  }
  const found: unknown =
    typeof module === "object" && module !== null && "default" in module ? module.default : undefined;
  if (found === undefined)
    throw new BackupError(
      "PLUGIN_INVALID",
      `${name} brings no plugin: it has no default export, which is what definePlugin returns, or a list of that`,
    );
  const origin = isFile(name) ? file : name;
  const version = await packageVersion(dirname(file));
  // What it is, the registry checks.
  return [found].flat().map((each) => {
    const plugin = each as Plugin;
    return { plugin, origin, version: plugin?.version ?? version };
  });
}

async function onPath(name: string, { PATH = "" }: NodeJS.ProcessEnv): Promise<string> {
  for (const directory of PATH.split(delimiter).filter((each) => each !== ""))
    try {
      const file = join(directory, name);
      await access(file, constants.X_OK);
      return file;
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
    }
  throw new BackupError("PLUGIN_MISSING", `there is no program ${name} on the PATH; name its file with ./ before it`);
}

function cannot(name: string, cause: unknown): BackupError {
  const [line = "unknown error"] = String(cause instanceof Error ? cause.message : cause).split("\n");
  return new BackupError("PLUGIN_INVALID", `the plugin ${name} cannot be loaded: ${line}`, { cause });
}
