import { isAbsolute } from "node:path";
import { BackupError, type NotifierPlugin, type PluginOption, type PluginRegistry } from "@backup/core";
import type { Command, Hooks } from "../hooks.js";
import { notifierProblems } from "./check-notifier.js";
import { notifierArguments, variableOf } from "./notifier-arguments.js";
import type { ReportSettings } from "./reporter.js";

/** What variables ask for: option `url` of a notifier `chat` is CHAT_URL; any of them turns it on. @throws BackupError USAGE */
export function reportsFromEnv({ notifiers }: PluginRegistry, env: NodeJS.ProcessEnv): ReportSettings {
  const all = notifiers.map((plugin) => [plugin.name, argumentsFromEnv(plugin, env)] as const);
  return Object.fromEntries(all.flatMap(([name, args]) => (args ? [[name, args]] : [])));
}

/** The programs that BACKUP_BEFORE and BACKUP_AFTER name. @throws BackupError USAGE */
export function hooksFromEnv(env: NodeJS.ProcessEnv): Hooks {
  return { before: programOf(env, "BACKUP_BEFORE"), after: programOf(env, "BACKUP_AFTER") };
}

/** @returns undefined: it is not asked for */
function argumentsFromEnv(plugin: NotifierPlugin, env: NodeJS.ProcessEnv): ReportSettings[string] | undefined {
  const nameOf = (option: string): string => variableOf(plugin, option);
  const options = Object.entries(plugin.options);
  const texts = options.flatMap(([name, option]) => {
    const text = valueOf(env, nameOf(name));
    return text === undefined ? [] : [{ name, option, text }];
  });
  const isLacking = options.some(([name, { isRequired }]) => isRequired && !texts.some((text) => text.name === name));
  if (texts.length === 0 || isLacking) return undefined;
  const given = texts.map(({ name, option, text }) => [name, readValue(nameOf(name), option, text)]);
  const args = notifierArguments(plugin, Object.fromEntries(given));
  const [problem] = notifierProblems(plugin, args, nameOf);
  if (problem) throw new BackupError("USAGE", problem.text);
  return args;
}

function readValue(variable: string, option: PluginOption, text: string): unknown {
  if (!option.array) return readOne(variable, option, text);
  return text.split(",").map((each) => readOne(variable, option, each.trim()));
}

function readOne(variable: string, { type, choices, isSecret }: PluginOption, text: string): unknown {
  if (isSecret) checkFile(variable, text);
  if (choices?.includes(text) === false) {
    const none = choices.length === 2 ? "neither" : "none of them";
    throw new BackupError("USAGE", `${variable} takes ${choices.join(" or ")}, and '${text}' is ${none}`);
  }
  if (type === "boolean") return readSwitch(variable, text);
  if (type === "number" && !Number.isFinite(Number(text)))
    throw new BackupError("USAGE", `${variable} takes a number, and '${text}' is none`);
  return type === "number" ? Number(text) : text;
}

function readSwitch(variable: string, text: string): boolean {
  if (/^(?:1|yes|true)$/i.test(text)) return true;
  if (/^(?:0|no|false)$/i.test(text)) return false;
  throw new BackupError("USAGE", `${variable} takes 1, yes, true, 0, no or false, and '${text}' is none of them`);
}

function programOf(env: NodeJS.ProcessEnv, name: string): readonly Command[] {
  const program = valueOf(env, name);
  if (program === undefined) return [];
  checkFile(name, program);
  return [[program]];
}

/** Where a run is started from is left to chance. Not repeated: it may be a password that somebody put there. */
function checkFile(variable: string, file: string): void {
  if (!isAbsolute(file)) throw new BackupError("USAGE", `${variable} must be an absolute path; what it holds is none`);
}

/** An empty one is what an unset variable of a script or of a compose file leaves. */
function valueOf(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const text = env[name]?.trim();
  return text === "" ? undefined : text;
}
