/** What is asked of a remote destination, and whether it was met. */

/** The distance at which times are asked, in milliseconds of a round trip. Ratios are asked at every distance. */
const ASKED_RTT = 40;

/**
 * @typedef {{ id: string, of?: import("./report.mjs").Summary, up?: number, down?: number }} Row
 * @param {readonly { rtt: number, rows: readonly Row[] }[]} tables
 * @returns {{ asked: string, rtt: number, value: string, met: boolean }[]} those for which there are measurements
 */
export const bars = (tables) => tables.flatMap((table) => barsAt(table));

/** @param {{ rtt: number, rows: readonly Row[] }} table */
const barsAt = ({ rtt, rows }) => {
  const row = (id) => rows.find((one) => one.id === id);
  const wall = (id) => row(id)?.of?.wallS.median;
  const all = [];
  const add = (asked, value, { limit, unit = "" }) => {
    if (value === undefined || Number.isNaN(value)) return;
    all.push({ asked: `${asked} ≤ ${limit}${unit}`, rtt, value: `${value.toFixed(2)}${unit}`, met: value <= limit });
  };

  add("c / (a + b)", wall("rsync") / (wall("local") + wall("plain")), { limit: 1.3 });
  if (rtt !== ASKED_RTT) return all;
  add("d / e", (wall("sftp-part") ?? wall("sftp")) / wall("rclone"), { limit: 0.5 });
  for (const transport of ["rsync", "sftp"]) {
    add(`f, ${transport}`, wall(`${transport}-again`), { limit: 2, unit: " s" });
    add(`g, ${transport}`, wall(`${transport}-flags`), { limit: 15, unit: " s" });
    const { up, down } = row(`${transport}-flags`) ?? {};
    add(`g, ${transport}, on the wire`, (up + down) / 1e6, { limit: 3, unit: " MB" });
  }
  return all;
};

/**
 * Round trips that an unchanged re-run waits for: how much longer it takes when each takes longer.
 *
 * @param {readonly { rtt: number, rows: readonly Row[] }[]} tables
 * @returns {{ transport: string, rtt: number, trips: number }[]}
 */
export const roundTrips = (tables) =>
  tables.flatMap(({ rtt, rows }) =>
    ["rsync", "sftp"].flatMap((transport) => {
      const wall = (id) => rows.find((one) => one.id === id)?.of?.wallS.median;
      const trips = ((wall(`${transport}-far`) - wall(`${transport}-again`)) * 1000) / rtt;
      return Number.isFinite(trips) ? [{ transport, rtt, trips }] : [];
    }),
  );
