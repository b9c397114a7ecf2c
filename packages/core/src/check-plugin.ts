import { BackupError } from "./errors.js";
import { PLUGIN_API } from "./plugin.js";

/** What may be called so on a command line and in a plan. */
const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
const KINDS = ["source", "mirror", "store", "notifier"] as const;
/** Methods without which a plugin of a kind is none. */
const METHODS: Readonly<Record<(typeof KINDS)[number], readonly string[]>> = {
  source: ["layout", "create"],
  mirror: ["create", "list", "verify"],
  store: ["takes", "open"],
  notifier: ["open"],
};

/**
 * Whether something is a plugin: it may come from a module that no compiler has seen.
 * @throws BackupError PLUGIN_INVALID, PLUGIN_UNKNOWN for another version of the interface
 */
export function checkPlugin(plugin: unknown, origin = "backup itself"): void {
  if (!isRecord(plugin)) throw invalid(origin, "it is no object; see definePlugin");
  const name = typeof plugin.name === "string" ? plugin.name : "";
  if (plugin.api !== PLUGIN_API)
    throw new BackupError(
      "PLUGIN_UNKNOWN",
      `plugin ${name || "without a name"} of ${origin} is made for version ${String(plugin.api)} of the plugin interface, and this is version ${PLUGIN_API}; update the older one`,
    );
  const wrong = (what: string): BackupError => invalid(origin, `${name || "it"} ${what}`);
  if (!NAME.test(name)) throw wrong("has a name that is not lower-case letters and digits, with dashes between them");
  const kind = KINDS.find((each) => each === plugin.kind);
  if (kind === undefined) throw wrong(`is of the kind '${String(plugin.kind)}', and there are: ${KINDS.join(", ")}`);
  if (!isLine(plugin.summary)) throw wrong("has no summary of one line");
  for (const method of METHODS[kind])
    if (typeof plugin[method] !== "function") throw wrong(`has no ${method}(), which a ${kind} has`);
  checkOptions(plugin.options, wrong);
  if (kind === "notifier") return checkNotifier(plugin, wrong);
  if (kind === "store") {
    if (!isLine(plugin.form)) throw wrong("has no form, how its destinations are written");
    return;
  }
  checkWords(plugin, ["dest"], wrong);
  if (plugin.commandOptions !== undefined) checkOptions(plugin.commandOptions, wrong);
  const { restore, login } = plugin;
  if (restore !== undefined) checkWithin(restore, "open", ["dest"], (what) => wrong(`has a restore that ${what}`));
  if (login !== undefined) checkWithin(login, "run", [], (what) => wrong(`has a login that ${what}`));
  for (const part of kind === "source" ? ["verifyAgainst", "drill"] : [])
    if (plugin[part] !== undefined) checkCounterpart(plugin[part], (what) => wrong(`has a ${part} that ${what}`));
}

type Wrong = (what: string) => BackupError;

/** A command that a plugin brings beside its own. */
function checkWithin(described: unknown, method: string, needed: readonly string[], wrong: Wrong): void {
  if (!isRecord(described) || typeof described[method] !== "function") throw wrong(`has no ${method}()`);
  if (!isLine(described.summary)) throw wrong("has no summary of one line");
  checkWords(described, needed, wrong);
  checkOptions(described.options, wrong);
}

function checkCounterpart(described: unknown, wrong: Wrong): void {
  if (!isRecord(described) || typeof described.open !== "function") throw wrong("has no open()");
  if (!isLine(described.of)) throw wrong("has no 'of', what its backups are of");
  checkWords({ positionals: [described.by] }, [], wrong);
  checkOptions(described.options, wrong);
}

function checkNotifier({ short, options }: Readonly<Record<string, unknown>>, wrong: Wrong): void {
  if (short !== undefined && !(typeof short === "string" && Object.hasOwn(Object(options), short)))
    throw wrong("has a short form that is none of its options");
}

function checkWords({ positionals }: Readonly<Record<string, unknown>>, needed: readonly string[], wrong: Wrong): void {
  if (!Array.isArray(positionals)) throw wrong("has no positionals, a list of words");
  const words: readonly unknown[] = positionals;
  const names = words.map((word) => (isRecord(word) && isLine(word.describe) ? word.name : undefined));
  for (const [at, name] of names.entries()) {
    if (typeof name !== "string" || !NAME.test(name))
      throw wrong(
        `has a word (number ${at + 1}) without a name in lower case, or without describe, a text of one line`,
      );
    if (names.indexOf(name) !== at) throw wrong(`has the word ${name} twice`);
  }
  for (const name of needed) if (!names.includes(name)) throw wrong(`has no word '${name}', where the backup is`);
}

function checkOptions(options: unknown, wrong: Wrong): void {
  if (!isRecord(options)) throw wrong("has no options, an object");
  for (const [name, option] of Object.entries(options)) {
    if (!NAME.test(name)) throw wrong(`has an option '${name}', whose name is not lower-case letters with dashes`);
    if (!isRecord(option) || !isLine(option.describe)) throw wrong(`has an option --${name} without describe`);
    if (!["string", "number", "boolean"].includes(String(option.type)))
      throw wrong(`has an option --${name} whose type is none of string, number, boolean`);
  }
}

function isLine(value: unknown): boolean {
  return typeof value === "string" && value !== "" && !value.includes("\n");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(origin: string, what: string): BackupError {
  return new BackupError("PLUGIN_INVALID", `the plugin of ${origin} cannot be used: ${what}`);
}
