import type { Positional } from "@backup/core";
import type { Options } from "yargs";
import { subcommands } from "./commands/all.js";
import type { Subcommand } from "./commands/subcommand.js";
import { COMMON_OPTIONS } from "./common-options.js";
import { environmentOf } from "./environment.js";
import { EXIT_STATUSES } from "./exit-statuses.js";
import { pluginsWith } from "./plugins/built-in.js";
import { type Tagged, escapeText, list, literal, section } from "./manual-mdoc.js";
import { DESCRIPTION, FILES, SEE_ALSO } from "./manual-texts.js";

/** When what the manual says last changed in more than its lists; not when it was made. */
const DATE = "November 23, 2026";

/** The manual page, in mdoc(7), made from what the parser is made from. */
export function manualPage(version: string): string {
  const plugins = pluginsWith([]);
  const commands = subcommands(plugins);
  return [
    '.\\" Made by npm run manual. Change packages/cli/src instead.',
    `.Dd ${DATE}`,
    ".Dt BACKUP 1",
    `.Os "backup ${version}"`,
    section("Name", ".Nm backup", ".Nd back up mail accounts to a directory here or on any host that ssh reaches"),
    section("Synopsis", ...commands.map(synopsis)),
    section("Description", ...DESCRIPTION.flatMap((text, index) => [...(index > 0 ? [".Pp"] : []), escapeText(text)])),
    section("Commands", ...commands.map(describeCommand)),
    section("Options of every command", list(tagsOf(COMMON_OPTIONS))),
    section("Environment", list(environmentOf(plugins).map(({ name, text }) => ({ tag: `Ev ${name}`, text })))),
    section("Files", list(FILES.map(({ path, text }) => ({ tag: `Pa ${path}`, text })))),
    section("Exit status", list(EXIT_STATUSES.map(({ status, text }) => ({ tag: `${status}`, text })))),
    section("Examples", commands.flatMap(({ examples }) => examples.map(example)).join("\n.Pp\n")),
    section("See also", ...SEE_ALSO),
    "",
  ].join("\n");
}

function synopsis({ name, positionals, options }: Subcommand): string {
  const some = Object.keys(options).length > 0 ? [".Op Ar option ..."] : [];
  return [".Nm", `.Cm ${name}`, ...positionals.map(argument), ...some].join("\n");
}

function argument({ name, isOptional, isMany }: Positional): string {
  const word = isMany ? `${name} ...` : name;
  return isOptional ? `.Op Ar ${word}` : `.Ar ${word}`;
}

function describeCommand({ name, summary, positionals, options }: Subcommand): string {
  const args = positionals.map(({ name: arg, describe }) => ({ tag: `Ar ${arg}`, text: sentence(describe) }));
  const tags = [...args, ...tagsOf(options)];
  const rest = tags.length > 0 ? [list(tags)] : [];
  return [`.Ss ${name}`, escapeText(sentence(summary)), ...rest].join("\n");
}

function tagsOf(options: Readonly<Record<string, Options>>): readonly Tagged[] {
  return Object.entries(options).map(([name, option]) => {
    const { alias, describe = "" } = option;
    const short = typeof alias === "string" ? `Fl ${alias} , ` : "";
    return { tag: `${short}Fl -${name}${valueOf(option)}`, text: sentence(`${describe}${defaultOf(option)}`) };
  });
}

function valueOf({ type, choices, describe = "" }: Options): string {
  if (choices !== undefined) return ` Cm ${choices.join(" | Cm ")}`;
  if (type === "boolean") return "";
  if (type === "number") return " Ar number";
  const [kind = "text"] = /^(?:file|directory)\b|\bglob\b/i.exec(describe) ?? [];
  return ` Ar ${kind.toLowerCase()}`;
}

function defaultOf({ type, default: value }: Options): string {
  return type === "number" && value !== undefined ? `; default ${value}` : "";
}

function example([command, text]: readonly [string, string]): string {
  return [escapeText(sentence(text).replace(/\.$/, ":")), literal(command)].join("\n");
}

/** As descriptions are written for help, with neither a capital at the beginning nor a full stop. */
function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.?!]$/.test(text) ? "" : "."}`;
}
