import type { LoadedPlugin } from "@backup/core";
import { EXIT } from "../exit-code.js";
import { jsonLine, printable } from "../render/text.js";
import { variableOf } from "../reports/notifier-arguments.js";
import { version } from "../version.js";
import type { CommandContext, Subcommand } from "./subcommand.js";

export const pluginsCommand: Subcommand<object> = {
  name: "plugins",
  summary: "list types of data, of destinations and of reports: what comes along, and what --plugin names",
  positionals: [],
  options: {},
  examples: [
    ["backup plugins", "what there is"],
    ["backup plugins --plugin ./notes.mjs", "is this a plugin, and what does it take?"],
  ],
  async run(_args, { plugins, json }: CommandContext) {
    const rows = plugins.all.map(toRow);
    process.stdout.write(json ? rows.map((row) => jsonLine(toFacts(row))).join("") : format(rows));
    return EXIT.done;
  },
};

interface Row {
  readonly name: string;
  readonly kind: string;
  readonly version: string;
  /** The package or the file; `backup`: it comes along. */
  readonly origin: string;
  readonly options: readonly string[];
  /** By which a notifier's options are given. */
  readonly variables: readonly string[];
}

function toRow({ plugin, origin, version: own }: LoadedPlugin): Row {
  const { name, kind } = plugin;
  return {
    name,
    kind,
    version: own ?? (origin === undefined ? version() : "unknown"),
    origin: origin ?? "backup",
    options: Object.keys(plugin.options),
    variables: plugin.kind === "notifier" ? Object.keys(plugin.options).map((each) => variableOf(plugin, each)) : [],
  };
}

function toFacts({ variables, ...row }: Row): object {
  return { type: "plugin", ...row, ...(variables.length === 0 ? {} : { variables }) };
}

function format(rows: readonly Row[]): string {
  const cells = [
    ["name", "kind", "version", "origin"],
    ...rows.map(({ name, kind, version: own, origin }) => [name, kind, own, origin]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const lines = cells.map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  "));
  const options = rows.map(({ kind, ...row }) =>
    (kind === "notifier" ? row.variables : row.options.map((name) => `--${name}`)).join(" "),
  );
  return lines
    .flatMap((line, at) => [line, ...(at > 0 && options[at - 1] !== "" ? [`    ${options[at - 1]}`] : [])])
    .map((line) => `${printable(line)}\n`)
    .join("");
}
