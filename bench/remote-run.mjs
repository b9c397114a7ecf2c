/**
 * `npm run bench -- --remote`: mirrors one account to a host that is reached by ssh, and does beside it what else one would
 * do. Rounds are interleaved: each does every step at every distance.
 */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { startDovecot } from "./dovecot.mjs";
import { connect } from "./imap-client.mjs";
import { lock } from "./lock.mjs";
import { mailbox, SEED } from "./mailbox.mjs";
import { measure } from "./measure.mjs";
import { ours, subset } from "./remote-commands.mjs";
import { startLink } from "./remote-link.mjs";
import { report } from "./remote-report.mjs";
import { chosen, LETTERS, steps } from "./remote-steps.mjs";
import { turn } from "./remote-turn.mjs";
import { mixedSizes } from "./sizes.mjs";
import { startSshd } from "./sshd.mjs";

/**
 * @param {import("./options.mjs").Options} options
 * @param {{ missing: readonly string[], signal: AbortSignal }} context
 * @returns {Promise<boolean>} whether every run succeeded and was complete
 */
export const runRemote = async (options, { missing, signal }) => {
  const letters = (options.only ?? Object.keys(LETTERS)).filter(
    (letter) => letter !== "e" || !missing.includes("rclone"),
  );
  const unknown = letters.filter((letter) => !Object.hasOwn(LETTERS, letter));
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(",")}: with --remote, letters from a to g`);
  const unlock = lock(resolve(options.cache));
  const started = [];
  const start = async (starting) => {
    const server = await starting;
    started.unshift(server);
    return server;
  };
  try {
    return await compare({ options, letters, missing, signal, start });
  } finally {
    for (const server of started) await server.stop();
    unlock();
  }
};

/** Starts the servers and the ways to them, runs all rounds and reports. */
const compare = async ({ options, letters, missing, signal, start }) => {
  const cache = resolve(options.cache);
  const { messages, rtts } = options;
  say("mailbox: making it, unless it is in the cache");
  const box = mailbox({
    cache: join(cache, "mailboxes"),
    name: `mixed-${messages}`,
    sizes: mixedSizes(messages, SEED),
  });
  const server = await start(startDovecot({ maildir: box.dir, compress: options.compress }));
  const sshd = await start(startSshd());
  const links = { imap: await start(startLink(server.port)), ssh: await start(startLink(sshd.port)) };
  sshd.trust(links.ssh.port);
  const [work, logs] = [join(cache, "work"), join(cache, "logs")];
  const site = { top: options.top, work, logs, subset: `${work}-subset`, box, server, sshd, links, signal, say };
  mkdirSync(logs, { recursive: true });
  await warm(server, box);

  const part = subset(messages, options.rcloneMessages);
  const plans = rtts.map((rtt) => ({
    rtt,
    steps: chosen(steps({ part, way: rtt > 0 }), letters),
  }));
  const results = plans.map(({ rtt, steps: taken }) => ({ rtt, steps: taken, runs: {} }));
  const failures = [];
  try {
    if (plans.some((plan) => plan.steps.some(({ holds }) => holds === "subset"))) await makeSubset(site, part);
    for (let round = 1; round <= options.rounds; round++) {
      for (const { rtt, steps: taken, runs } of results) {
        const done = await turn(site, { name: `round ${round}, ${rtt} ms`, rtt, steps: taken });
        for (const [id, measured] of Object.entries(done.measured)) (runs[id] ??= []).push(measured);
        failures.push(...done.failures);
      }
    }
  } finally {
    rmSync(site.subset, { recursive: true, force: true });
  }
  report({ cache, options, box, part, results, missing, failures, say });
  return failures.length === 0;
};

/**
 * Lets Dovecot build its indexes and the system read the files.
 *
 * @param {import("./dovecot.mjs").Server} server
 * @param {import("./mailbox.mjs").Mailbox} box
 */
const warm = async (server, box) => {
  const client = await connect({ ...server, ca: readFileSync(server.caFile, "utf8") });
  await client.fetchEverything("(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])");
  await client.logout();
  if (client.rows !== box.messages) throw new Error(`the server has ${client.rows} of ${box.messages} messages`);
};

/** A mirror of some folders, made by ourselves: what rclone copies is then what we copy. */
const makeSubset = async ({ top, logs, subset: dest, server, sshd, signal }, part) => {
  rmSync(dest, { recursive: true, force: true });
  const home = join(dest, "..", "work-home");
  for (const dir of [dest, home]) mkdirSync(dir, { recursive: true, mode: 0o700 });
  const place = { imapPort: server.port, sshPort: sshd.port, server, sshd };
  const command = ours(place, { dest, folders: part.names });
  await measure({ command, cwd: top, home, log: join(logs, "remote-subset"), signal });
  rmSync(home, { recursive: true, force: true });
};

/**
 * Progress goes to stderr: stdout holds the report alone.
 *
 * @param {string} text
 */
const say = (text) => console.error(text);
