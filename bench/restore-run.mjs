/** Restores a backup into an empty account, by backup and by a plain loop. See USAGE in options.mjs for the command line. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { startDovecot } from "./dovecot.mjs";
import { connect } from "./imap-client.mjs";
import { lock } from "./lock.mjs";
import { machine, machineLine } from "./machine.mjs";
import { mailbox, SEED } from "./mailbox.mjs";
import { measure, settle } from "./measure.mjs";
import { startLink } from "./remote-link.mjs";
import { mixedSizes } from "./sizes.mjs";

const LOOP = fileURLToPath(new URL("restore-loop.mjs", import.meta.url));
const BACKUP = fileURLToPath(new URL("../packages/cli/bin/backup.js", import.meta.url));

/**
 * @param {import("./options.mjs").Options} options
 * @param {{ signal: AbortSignal }} context
 * @returns {Promise<boolean>} whether every run brought all messages
 */
export const runRestore = async (options, { signal }) => {
  const cache = resolve(options.cache);
  const unlock = lock(cache);
  const work = join(cache, "restore");
  try {
    rmSync(work, { recursive: true, force: true });
    mkdirSync(join(work, "home"), { recursive: true, mode: 0o700 });
    const sizes = mixedSizes(options.messages, SEED);
    const box = mailbox({ cache: join(cache, "mailboxes"), name: `mixed-${options.messages}`, sizes });
    const mirror = join(work, "mirror");
    await makeBackup(box, mirror);
    say(`backup: ${box.messages} messages, ${(box.bytes / 1e6).toFixed(0)} MB, ${box.folders} folders`);
    say(machineLine(machine(work)));
    for (const rtt of options.rtts) await compareAt(rtt, { options, work, mirror, box, signal });
    return true;
  } finally {
    rmSync(work, { recursive: true, force: true });
    unlock();
  }
};

const makeBackup = async (box, mirror) => {
  const server = await startDovecot({ maildir: box.dir, compress: false });
  try {
    const account = [`imaps://localhost:${server.port}`, "--srcsecret", server.secretFile, "--tls-ca", server.caFile];
    execFileSync(process.execPath, [BACKUP, "imap", server.user, mirror, ...account, "-q"], { stdio: "inherit" });
  } finally {
    await server.stop();
  }
};

/** All rounds at one distance. */
const compareAt = async (rtt, { options, work, mirror, box, signal }) => {
  const contenders = {
    backup: ({ port, secretFile, caFile, user }) => {
      const account = [`imaps://localhost:${port}`, "--srcsecret", secretFile, "--tls-ca", caFile];
      return [BACKUP, "restore", "imap", mirror, user, ...account, "-q"];
    },
    loop: ({ port, secretFile, caFile }) => [LOOP, mirror, String(port), secretFile, caFile],
  };
  const times = { backup: [], loop: [] };
  for (let round = 0; round < options.rounds; round++)
    for (const [name, command] of Object.entries(contenders)) {
      if (name === "loop" && round > 0) continue;
      const { wallS, userS, peakBytes } = await intoEmpty({ rtt, work, box, signal }, command);
      times[name].push(wallS);
      say(
        `${rtt} ms, ${name}: ${wallS.toFixed(1)} s, ${userS.toFixed(1)} s of CPU, ${(peakBytes / 1e6).toFixed(0)} MB`,
      );
    }
  const median = times.backup.toSorted((a, b) => a - b)[Math.floor(times.backup.length / 2)];
  say(`${rtt} ms: ${(times.loop[0] / median).toFixed(1)} times as fast as the loop`);
};

/** One run into an account that has nothing; it must have everything after. */
const intoEmpty = async ({ rtt, work, box, signal }, command) => {
  const root = mkdtempSync(join(tmpdir(), "bench-target-"));
  const maildir = join(root, "Maildir");
  chmodSync(root, 0o755);
  mkdirSync(maildir, { mode: 0o700 });
  if (process.getuid?.() === 0) execFileSync("chown", ["mail:mail", maildir]);
  const server = await startDovecot({ maildir, compress: false });
  const link = await startLink(server.port);
  try {
    await link.stretch(rtt);
    await settle();
    const reached = { ...server, port: link.port };
    const run = { cwd: work, home: join(work, "home"), log: join(work, "run"), signal };
    const measured = await measure({ ...run, command: [process.execPath, ...command(reached)] });
    const found = await countAt(server);
    if (found !== box.messages) throw new Error(`the account has ${found} messages instead of ${box.messages}`);
    return measured;
  } finally {
    await link.stop();
    await server.stop();
    rmSync(root, { recursive: true, force: true });
  }
};

const countAt = async (server) => {
  const client = await connect({ ...server, ca: readFileSync(server.caFile, "utf8") });
  const lines = await client.command('LIST "" "*" RETURN (STATUS (MESSAGES))', { keep: true });
  await client.logout();
  return lines.reduce((sum, line) => sum + Number(/^\* STATUS .*\(MESSAGES (\d+)\)/.exec(line)?.[1] ?? 0), 0);
};

/** @param {string} line */
const say = (line) => console.log(line);
