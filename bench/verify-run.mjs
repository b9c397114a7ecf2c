/**
 * `npm run bench -- --verify`: mirrors one account, then reads the mirror back in several ways, round after round, from a
 * warm cache.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { startDovecot } from "./dovecot.mjs";
import { lock } from "./lock.mjs";
import { machine, machineLine } from "./machine.mjs";
import { mailbox, SEED } from "./mailbox.mjs";
import { measure, settle } from "./measure.mjs";
import { ours } from "./remote-commands.mjs";
import { summarize } from "./report.mjs";
import { mixedSizes } from "./sizes.mjs";
import { startSshd } from "./sshd.mjs";

const MIB = 2 ** 20;

/**
 * @param {import("./options.mjs").Options} options
 * @param {{ signal: AbortSignal }} context
 * @returns {Promise<boolean>} whether every run succeeded
 */
export const runVerify = async (options, { signal }) => {
  const cache = resolve(options.cache);
  const unlock = lock(cache);
  const work = join(cache, "work");
  const sshd = await startSshd();
  try {
    const box = mailbox({
      cache: join(cache, "mailboxes"),
      name: `mixed-${options.messages}`,
      sizes: mixedSizes(options.messages, SEED),
    });
    rmSync(work, { recursive: true, force: true });
    const job = { top: options.top, dest: join(work, "mirror"), home: join(work, "home"), logs: join(cache, "logs") };
    for (const dir of [job.dest, job.home, job.logs]) mkdirSync(dir, { recursive: true, mode: 0o700 });
    await mirror(box, { job, signal });
    const ways = waysOf(job.dest, sshd);
    const runs = Object.fromEntries(Object.keys(ways).map((label) => [label, []]));
    for (let round = 1; round <= options.rounds; round++)
      for (const [index, [label, command]] of Object.entries(ways).entries()) {
        await settle();
        const log = join(job.logs, `verify-${round}-${index}`);
        runs[label].push(await measure({ command, cwd: options.top, home: job.home, log, signal }));
        say(`round ${round}, ${label}: ${runs[label].at(-1).wallS.toFixed(2)} s`);
      }
    report({ cache, box, runs, rounds: options.rounds });
    return true;
  } finally {
    rmSync(work, { recursive: true, force: true });
    await sshd.stop();
    unlock();
  }
};

/** The backup that is verified. */
const mirror = async (box, { job, signal }) => {
  const server = await startDovecot({ maildir: box.dir, compress: false });
  try {
    const command = ours({ imapPort: server.port, server }, { dest: job.dest });
    await measure({ command, cwd: job.top, home: job.home, log: join(job.logs, "verify-mirror"), signal });
  } finally {
    await server.stop();
  }
};

/** @returns {Record<string, string[]>} command lines by what the table calls them */
const waysOf = (dest, sshd) => {
  const verify = [process.execPath, "packages/cli/bin/backup.js", "verify", "-q"];
  const key = ["--dstsecret", sshd.keyFile, "--known-hosts", sshd.knownHosts, "--ssh-port", String(sshd.port)];
  return {
    "**backup verify**": [...verify, dest],
    "**backup verify**, by ssh": [...verify, `${sshd.user}@127.0.0.1:${dest}`, ...key],
    "find, xargs sha256sum": ["sh", "-c", 'find "$0" -type f -print0 | xargs -0 sha256sum', dest],
  };
};

/** Prints the table and writes the same as JSON. */
const report = ({ cache, box, runs, rounds }) => {
  const rows = Object.entries(runs).map(([label, measured]) => {
    const { wallS, userS, sysS, peakBytes } = summarize(measured);
    const range = `${wallS.median.toFixed(2)} s (${wallS.min.toFixed(2)}–${wallS.max.toFixed(2)})`;
    const cpu = `${userS.median.toFixed(2)} + ${sysS.median.toFixed(2)} s`;
    const rate = `${Math.round(box.bytes / 1e6 / wallS.median)} MB/s`;
    return `| ${label} | ${range} | ${rate} | ${cpu} | ${Math.round(peakBytes.median / MIB)} MiB |`;
  });
  const facts = machine(cache);
  const what = `${box.messages.toLocaleString("en")} messages, ${Math.round(box.bytes / 1e6)} MB, ${box.folders} folders`;
  console.log(
    [
      `\n${what}; warm cache; medians (and range) of ${rounds} interleaved rounds.\n`,
      "| | wall clock | rate | CPU (user + system) | peak memory |",
      "|---|---|---|---|---|",
      ...rows,
      `\nMachine: ${machineLine(facts)}.`,
    ].join("\n"),
  );
  const file = join(cache, "last-verify.json");
  writeFileSync(file, `${JSON.stringify({ date: new Date().toISOString(), machine: facts, runs }, undefined, 2)}\n`);
  say(`JSON: ${file}`);
};

/** @param {string} text progress: stdout holds the report alone */
const say = (text) => console.error(text);
