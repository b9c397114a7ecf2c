/** From measurements to medians, ratios and the table of docs/performance.md. */

const MIB = 2 ** 20;

/**
 * @typedef {{ median: number, min: number, max: number }} Spread
 * @typedef {{ runs: number, wallS: Spread, cpuS: Spread, userS: Spread, sysS: Spread, peakBytes: Spread }} Summary
 */

/**
 * Each figure's median is taken by itself: the run with the median wall clock need not have the median CPU.
 *
 * @param {readonly import("./measure.mjs").Measurement[]} runs
 * @returns {Summary | undefined} undefined when there were none
 */
export const summarize = (runs) =>
  runs.length === 0
    ? undefined
    : {
        runs: runs.length,
        wallS: spread(runs.map((run) => run.wallS)),
        cpuS: spread(runs.map((run) => run.userS + run.sysS)),
        userS: spread(runs.map((run) => run.userS)),
        sysS: spread(runs.map((run) => run.sysS)),
        peakBytes: spread(runs.map((run) => run.peakBytes)),
      };

/**
 * @param {readonly number[]} values
 * @returns {Spread}
 */
const spread = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1] };
};

/**
 * @param {readonly { label: string, initial?: Summary, again?: Summary }[]} rows
 * @returns {string} a table in Markdown
 */
export const table = (rows) =>
  [
    "| | initial mirror | CPU (user + system) | peak memory | unchanged re-run | CPU | peak memory |",
    "|---|---|---|---|---|---|---|",
    ...rows.map(({ label, initial, again }) => `| ${[label, ...cells(initial), ...cells(again)].join(" | ")} |`),
  ].join("\n");

/**
 * @param {readonly { label: string, changed?: Summary }[]} rows
 * @returns {string} a table in Markdown
 */
export const changedTable = (rows) =>
  [
    "| | run after the changes | CPU (user + system) | peak memory |",
    "|---|---|---|---|",
    ...rows.flatMap(({ label, changed }) => (changed ? [`| ${[label, ...cells(changed)].join(" | ")} |`] : [])),
  ].join("\n");

/** @param {Summary | undefined} summary */
const cells = (summary) => {
  if (!summary) return ["–", "–", "–"];
  const { runs, wallS, userS, sysS, peakBytes } = summary;
  const range = runs > 1 ? ` (${seconds(wallS.min)}–${seconds(wallS.max)})` : " (one run)";
  const cpu = `${seconds(userS.median)} + ${seconds(sysS.median)} s`;
  return [`${seconds(wallS.median)} s${range}`, cpu, `${Math.round(peakBytes.median / MIB)} MiB`];
};

/** @param {number} value */
const seconds = (value) => (value < 9.995 ? value.toFixed(2) : value.toFixed(1));

/**
 * Wall clock of our initial mirror by that of the others, from medians.
 *
 * @param {Record<string, { initial?: Summary }>} results by contender
 * @returns {Record<string, number>}
 */
export const ratios = (results) => {
  const ours = results.ours?.initial;
  const others = Object.entries(results).filter(([name, { initial }]) => name !== "ours" && initial);
  if (!ours) return {};
  return Object.fromEntries(
    others.map(([name, { initial }]) => [`ours/${name}`, ours.wallS.median / initial.wallS.median]),
  );
};
