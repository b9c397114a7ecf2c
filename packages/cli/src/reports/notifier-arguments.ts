import { type NotifierPlugin, camelCase } from "@backup/core";
import { toOptions } from "../types/to-options.js";

/** The variable that gives an option of a notifier: `url` of `chat` is CHAT_URL, if the plugin names no other. */
export function variableOf({ name, options }: Pick<NotifierPlugin, "name" | "options">, option: string): string {
  return options[option]?.variable ?? `${name}-${option}`.replaceAll("-", "_").toUpperCase();
}

/** What a plan says of a notifier, by the names of its options. */
export function notifierFields({ short }: NotifierPlugin, said: unknown): Readonly<Record<string, unknown>> {
  return typeof said === "string" && short !== undefined ? { [short]: said } : { ...Object(said) };
}

/** What is said by the names of options, as arguments of the plugin. */
export function notifierArguments(
  { options }: NotifierPlugin,
  given: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(toOptions(options)).map(([option, { array, isSecret, default: standard }]) => {
      const said = given[option] ?? standard;
      const value: unknown = isSecret && typeof said === "object" ? Object(said).file : said;
      return [camelCase(option), array ? [value].flat() : value];
    }),
  );
}
