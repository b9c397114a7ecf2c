/**
 * `npm run bench -- --history`: snapshots of an account in which nothing has changed, here beside `cp -al` of the last one,
 * and on a host that is reached by ssh. Small messages: it is their number that counts.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { startDovecot } from "./dovecot.mjs";
import { lock } from "./lock.mjs";
import { machine, machineLine } from "./machine.mjs";
import { mailbox } from "./mailbox.mjs";
import { measure, settle } from "./measure.mjs";
import { ours } from "./remote-commands.mjs";
import { startLink } from "./remote-link.mjs";
import { summarize } from "./report.mjs";
import { startSshd } from "./sshd.mjs";

/** Bytes of a message. */
const SIZE = 600;

/**
 * @param {import("./options.mjs").Options} options
 * @param {{ signal: AbortSignal }} context
 * @returns {Promise<boolean>} true: every run succeeded
 */
export const runHistory = async (options, { signal }) => {
  const cache = resolve(options.cache);
  const unlock = lock(cache);
  const started = [];
  const start = async (starting) => {
    const server = await starting;
    started.unshift(server);
    return server;
  };
  const work = join(cache, "work");
  try {
    const { messages } = options;
    say("mailbox: making it, unless it is in the cache");
    const sizes = Array.from({ length: messages }, () => SIZE);
    const box = mailbox({ cache: join(cache, "mailboxes"), name: `small-${messages}`, sizes });
    const server = await start(startDovecot({ maildir: box.dir, compress: options.compress }));
    const sshd = await start(startSshd());
    const link = await start(startLink(sshd.port));
    sshd.trust(link.port);
    rmSync(work, { recursive: true, force: true });
    const site = { options, cache, work, server, sshd, link, signal };
    const rows = [...(await atHome(site)), ...(await atDistances(site))];
    console.log(format(rows, { box, cache, options }));
    return true;
  } finally {
    rmSync(work, { recursive: true, force: true });
    for (const server of started) await server.stop();
    unlock();
  }
};

/** Rounds of ours and of cp, in turn. */
const atHome = async (site) => {
  const dest = join(site.work, "here");
  const day = days();
  const first = day();
  await snapshot(site, { dest, day: first });
  const runs = { ours: [], cp: [] };
  for (let round = 1; round <= site.options.rounds; round++) {
    const copy = join(site.work, `copy-${round}`);
    runs.cp.push(await timed(site, `round ${round}, cp -al`, ["cp", "-al", join(dest, ...first.split("-")), copy]));
    rmSync(copy, { recursive: true });
    runs.ours.push(await snapshot(site, { dest, day: day() }));
  }
  return [
    { label: "**backup** --hist, here", runs: runs.ours },
    { label: "cp -al of the last snapshot, here", runs: runs.cp },
  ];
};

const atDistances = async (site) => {
  const rows = [];
  for (const rtt of site.options.rtts) {
    for (const transport of ["rsync", "sftp"]) {
      const dest = join(site.work, `${transport}-${rtt}`);
      const day = days();
      await site.link.stretch(0);
      await snapshot(site, { dest, day: day(), transport });
      await site.link.stretch(rtt);
      const runs = [];
      for (let round = 1; round <= site.options.rounds; round++)
        runs.push(await snapshot(site, { dest, day: day(), transport }));
      rows.push({ label: `**backup** --hist, --transport ${transport}, ${rtt} ms`, runs });
      rmSync(dest, { recursive: true });
    }
  }
  return rows;
};

const snapshot = (site, { dest, day, transport }) => {
  const place = { imapPort: site.server.port, sshPort: site.link.port, server: site.server, sshd: site.sshd };
  const command = [...ours(place, { dest, transport }), "--hist", "--histdate", day];
  return timed(site, `${transport ?? "here"}, snapshot of ${day}`, command);
};

const timed = async ({ options, cache, work, signal }, what, command) => {
  const [home, logs] = [join(work, "home"), join(cache, "logs")];
  for (const dir of [home, logs]) mkdirSync(dir, { recursive: true, mode: 0o700 });
  await settle();
  const measured = await measure({ command, cwd: options.top, home, log: join(logs, "history"), signal });
  say(`${what}: ${measured.wallS.toFixed(2)} s`);
  return measured;
};

/** One day after the other. */
const days = () => {
  let number = 0;
  return () => new Date(Date.UTC(2026, 0, ++number)).toISOString().slice(0, 10);
};

const format = (rows, { box, cache, options }) =>
  [
    "",
    `${box.messages.toLocaleString("en")} messages in ${box.folders} folders, nothing changed; medians (and range) of ${options.rounds} rounds.`,
    "",
    "| | one snapshot | CPU (user + system) |",
    "|---|---|---|",
    ...rows.map(({ label, runs }) => {
      const { wallS, userS, sysS } = summarize(runs);
      const range = `${wallS.median.toFixed(2)} s (${wallS.min.toFixed(2)}–${wallS.max.toFixed(2)})`;
      return `| ${label} | ${range} | ${userS.median.toFixed(2)} + ${sysS.median.toFixed(2)} s |`;
    }),
    "",
    `Machine: ${machineLine(machine(cache))}.`,
  ].join("\n");

const say = (text) => console.error(text);
