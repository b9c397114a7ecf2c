/** The tables of the remote benchmark, and what was asked of it. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { machine, machineLine } from "./machine.mjs";
import { flagChanges } from "./remote-flags.mjs";
import { bars, roundTrips } from "./remote-bars.mjs";
import { summarize } from "./report.mjs";

const LATENCY =
  "Where the round trip is above 0 a TCP proxy before each server holds every byte back for half of it, and every connect for all of it; it limits no bandwidth.";

/**
 * Prints tables and bars in Markdown, and writes everything as JSON.
 *
 * @param {object} run
 * @param {string} run.cache
 * @param {import("./options.mjs").Options} run.options
 * @param {import("./mailbox.mjs").Mailbox} run.box
 * @param {{ names: string[], messages: number } | undefined} run.part
 * @param {readonly { rtt: number, steps: import("./remote-steps.mjs").Step[], runs: Record<string, import("./remote-turn.mjs").RemoteMeasurement[]> }[]} run.results
 * @param {readonly string[]} run.missing
 * @param {readonly string[]} run.failures
 * @param {(text: string) => void} run.say
 */
export const report = ({ cache, options, box, part, results, missing, failures, say }) => {
  const tables = results.map(({ rtt, steps, runs }) => ({
    rtt,
    rows: steps.map(({ id, label }) => ({ id, label, ...summary(runs[id] ?? []) })),
  }));
  const others = versions();
  const facts = { ...machine(cache), mbsync: undefined, offlineimap: undefined, ...others };
  const rounds = `${options.rounds} interleaved ${options.rounds === 1 ? "round" : "rounds"}`;
  const changed = tables.some(({ rows }) => rows.some(({ id }) => id.endsWith("-flags")));
  const copied = results.some(({ steps }) => steps.some(({ holds }) => holds === "subset"));
  const judged = bars(tables);
  const lines = [
    "",
    `${describe(box)}; Dovecot over TLS${options.compress ? " with COMPRESS" : ""} and OpenSSH; medians (and range) of ${rounds}.`,
    ...(results.some(({ rtt }) => rtt > 0) ? [LATENCY] : []),
    ...(changed ? [`Flags changed: ${flagChanges(box.messages).toLocaleString("en")}.`] : []),
    ...(copied
      ? [`d′ and e copy the same ${part.messages.toLocaleString("en")} messages: ${part.names.join(", ")}.`]
      : []),
    ...tables.flatMap(({ rtt, rows }) => ["", `### ${rtt} ms round trip`, "", table(rows)]),
    ...(judged.length > 0 ? ["", barTable(judged)] : []),
    "",
    ...roundTrips(tables).map(
      ({ transport, rtt, trips }) =>
        `Round trips of an unchanged re-run, ${transport}: ${trips.toFixed(1)} (${rtt} against ${2 * rtt} ms), those of IMAP and of connecting included.`,
    ),
    ...(missing.length > 0 ? [`Not installed and left out: ${missing.join(", ")}.`] : []),
    ...(failures.length > 0 ? ["Not worth quoting: some runs failed.", ...failures] : []),
    `Machine: ${[machineLine(facts), ...Object.entries(others).map((each) => each.join(" "))].join("; ")}.`,
  ];
  console.log(lines.join("\n"));
  const file = join(cache, "last-remote.json");
  const { messages, bytes, folders, largest } = box;
  const mailbox = { messages, bytes, folders, largest };
  const date = new Date().toISOString();
  const json = {
    date,
    machine: facts,
    options,
    mailbox,
    part,
    tables,
    bars: judged,
    roundTrips: roundTrips(tables),
    runs: results,
    missing,
    failures,
  };
  writeFileSync(file, `${JSON.stringify(json, undefined, 2)}\n`);
  say(`JSON: ${file}`);
};

/** @param {readonly import("./remote-turn.mjs").RemoteMeasurement[]} runs */
const summary = (runs) => {
  const of = summarize(runs);
  const wires = runs.flatMap(({ wire }) => wire ?? []);
  return { of, up: middle(wires.map(({ up }) => up)), down: middle(wires.map(({ down }) => down)) };
};

/**
 * @param {readonly number[]} values
 * @returns {number | undefined}
 */
const middle = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) / 2;
  return sorted.length === 0 ? undefined : (sorted[Math.floor(at)] + sorted[Math.ceil(at)]) / 2;
};

/** @param {readonly { label: string, of?: import("./report.mjs").Summary, up?: number, down?: number }[]} rows */
const table = (rows) =>
  [
    "| | wall clock | CPU (user + system) | peak memory | ssh: to the host + back |",
    "|---|---|---|---|---|",
    ...rows.map(({ label, of, up, down }) => {
      if (!of) return `| ${label} | – | – | – | – |`;
      const range = of.runs > 1 ? ` (${seconds(of.wallS.min)}–${seconds(of.wallS.max)})` : " (one run)";
      const wall = `${seconds(of.wallS.median)} s${range}`;
      const cpu = `${seconds(of.userS.median)} + ${seconds(of.sysS.median)} s`;
      const wire = up === undefined ? "–" : `${size(up)} + ${size(down)}`;
      return `| ${label} | ${wall} | ${cpu} | ${Math.round(of.peakBytes.median / 2 ** 20)} MiB | ${wire} |`;
    }),
  ].join("\n");

/** @param {ReturnType<typeof bars>} judged */
const barTable = (judged) =>
  [
    "| asked | at | measured | |",
    "|---|---|---|---|",
    ...judged.map(
      ({ asked, rtt, value, met }) => `| ${asked} | ${rtt} ms | ${value} | ${met ? "met" : "**missed**"} |`,
    ),
  ].join("\n");

/** What is compared here besides the programs that machine.mjs knows. */
const versions = () =>
  Object.fromEntries(
    Object.entries({ rsync: ["--version"], ssh: ["-V"], rclone: ["version"] }).flatMap(([program, args]) => {
      const { stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
      const found = /\d+(?:\.\d+)+\w*/.exec(`${stdout ?? ""}${stderr ?? ""}`)?.[0];
      return found === undefined ? [] : [[program, found]];
    }),
  );

/** @param {import("./mailbox.mjs").Mailbox} box */
const describe = ({ messages, bytes, folders, largest }) =>
  `${messages.toLocaleString("en")} messages, ${Math.round(bytes / 1e6)} MB, ${folders} folders, largest message ${(largest / 1e6).toFixed(1)} MB`;

/** @param {number} value */
const seconds = (value) => (value < 9.995 ? value.toFixed(2) : value.toFixed(1));

/** @param {number} bytes */
const size = (bytes) =>
  bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(bytes < 10e6 ? 2 : 0)} MB`;
