/**
 * Mirrors one mailbox with every contender, round after round, each from the same Dovecot on this machine.
 * See USAGE in options.mjs for the command line.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { changeMailbox, changesOf, copyMailbox, undelete } from "./changes.mjs";
import { contenders } from "./contenders.mjs";
import { startDovecot } from "./dovecot.mjs";
import { connect } from "./imap-client.mjs";
import { lock } from "./lock.mjs";
import { machine, machineLine } from "./machine.mjs";
import { mailbox, SEED } from "./mailbox.mjs";
import { measure, settle } from "./measure.mjs";
import { startLink } from "./remote-link.mjs";
import { changedTable, ratios, summarize, table } from "./report.mjs";
import { mixedSizes, smallSizes } from "./sizes.mjs";

/**
 * @param {import("./options.mjs").Options} options
 * @param {{ missing: readonly string[], signal: AbortSignal }} context missing: contenders that are not installed
 * @returns {Promise<boolean>} whether every run succeeded and was complete
 */
export const run = async (options, { missing, signal }) => {
  const cache = resolve(options.cache);
  const all = contenders(options);
  const unknown = options.only?.filter((name) => !all.some((contender) => contender.name === name)) ?? [];
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(",")}: no such contender`);
  const taking = all.filter(({ name }) => (options.only?.includes(name) ?? true) && !missing.includes(name));

  const unlock = lock(cache);
  const work = join(cache, "work");
  rmSync(work, { recursive: true, force: true });
  try {
    return await compare({ options, cache, taking, missing, signal });
  } finally {
    rmSync(work, { recursive: true, force: true });
    unlock();
  }
};

/** Makes the mailbox, serves it, runs all rounds and reports. */
const compare = async ({ options, cache, taking, missing, signal }) => {
  say("mailbox: making it, unless it is in the cache");
  const box = mailbox({ cache: join(cache, "mailboxes"), ...scenario(options) });
  say(`mailbox: ${describe(box)}${box.generatedInS ? `, made in ${box.generatedInS.toFixed(1)} s` : ", cached"}`);
  const served = options.mixed ? join(cache, "served") : box.dir;
  if (options.mixed) {
    rmSync(served, { recursive: true, force: true });
    copyMailbox(box.dir, served);
  }
  const server = await startDovecot({ maildir: served, compress: options.compress });
  const link = options.rtts.some((rtt) => rtt > 0) ? await startLink(server.port) : undefined;
  try {
    if (options.mixed) await undelete(server);
    await warm(server, box);
    let isGood = true;
    // Grows with each change.
    const now = { messages: box.messages, bytes: box.bytes };
    for (const rtt of options.rtts) {
      await link?.stretch(rtt);
      const reached = rtt === 0 ? server : { ...server, port: link.port };
      const at = { options, cache, taking, missing, signal, box, now, near: server, server: reached };
      isGood = (await compareAt(rtt, at)) && isGood;
    }
    return isGood;
  } finally {
    await link?.stop();
    await server.stop();
    if (options.mixed) rmSync(served, { recursive: true, force: true });
  }
};

/** All rounds at one distance. */
const compareAt = async (rtt, { options, cache, taking, missing, signal, box, now, near, server }) => {
  const results = Object.fromEntries(taking.map(({ name }) => [name, { initial: [], again: [], changed: [] }]));
  const failures = [];
  for (let round = 0; round < options.rounds; round++) {
    for (const contender of taking) {
      if (contender.slow && round > 0 && !options.full) continue;
      try {
        const measured = await oneRound(contender, { cache, near, server, now, options, round, signal });
        for (const [phase, one] of Object.entries(measured)) results[contender.name][phase].push(one);
      } catch (error) {
        signal.throwIfAborted();
        failures.push(`${contender.name}, round ${round + 1}: ${error.message}`);
        say(`FAILED ${failures.at(-1)}`);
      }
    }
  }
  report({ cache, options, box, taking, missing, results, failures, rtt });
  return failures.length === 0;
};

/** @param {import("./options.mjs").Options} options */
const scenario = ({ big, small, bigBytes, messages }) => {
  if (big) return { name: `big-${bigBytes}`, sizes: [bigBytes, ...mixedSizes(20, SEED)] };
  if (small) return { name: `small-${messages}`, sizes: smallSizes(messages, SEED) };
  return { name: `mixed-${messages}`, sizes: mixedSizes(messages, SEED) };
};

/**
 * Lets Dovecot build its indexes and the system read the files, and checks that the server sends what was generated.
 *
 * @param {import("./dovecot.mjs").Server} server
 * @param {import("./mailbox.mjs").Mailbox} box
 */
const warm = async (server, box) => {
  const started = performance.now();
  const client = await connect({ ...server, ca: readFileSync(server.caFile, "utf8") });
  await client.fetchEverything("(FLAGS INTERNALDATE RFC822.SIZE)");
  client.rows = 0;
  await client.fetchEverything("BODY.PEEK[]");
  await client.logout();
  complete({ messages: client.rows, bytes: client.bytes }, box);
  say(`server: indexes and page cache warm after ${((performance.now() - started) / 1000).toFixed(1)} s`);
};

/** Directories that were mirrored into. */
let works = 0;

/**
 * The initial mirror into an empty directory, then the same command again, then once more after changes.
 *
 * @param {import("./contenders.mjs").Contender} contender
 */
const oneRound = async (contender, { cache, near, server, now, options, round, signal }) => {
  // A directory that nothing was in before, and nothing is removed meanwhile: ext4 looks for a long time for an inode
  // that was not in use a few minutes ago.
  const work = join(cache, "work", `${++works}-${contender.name}`);
  const job = { server, dest: join(work, "mirror"), config: join(work, "config") };
  const logs = join(cache, "logs");
  mkdirSync(logs, { recursive: true });
  for (const dir of [job.dest, job.config]) mkdirSync(dir, { recursive: true, mode: 0o700 });
  const command = contender.prepare(job);
  const timed = async (phase) => {
    await settle();
    const log = join(logs, `${contender.name}-${round + 1}-${phase}`);
    const measured = await measure({ command, cwd: options.top, home: job.config, log, signal });
    complete(contender.count(job, log), now);
    say(`round ${round + 1}, ${contender.name}, ${phase}: ${oneLine(measured)}`);
    return measured;
  };
  const initial = await timed("initial");
  if (!contender.mirrors) return { initial };
  const again = await timed("again");
  if (!options.mixed) return { initial, again };
  const more = await changeMailbox(near, { ...now, round: `${contender.name}-${now.messages}` });
  now.messages += more.messages;
  now.bytes += more.bytes;
  return { initial, again, changed: await timed("changed") };
};

/**
 * @param {{ messages: number, bytes?: number }} got
 * @param {import("./mailbox.mjs").Mailbox} box
 * @throws when it is not all of the mailbox: how fast that was is worth nothing
 */
const complete = (got, box) => {
  if (got.messages !== box.messages || (got.bytes ?? box.bytes) !== box.bytes) {
    const bytes = got.bytes === undefined ? "" : ` with ${got.bytes} of ${box.bytes} bytes`;
    throw new Error(`incomplete: ${got.messages} of ${box.messages} messages${bytes}`);
  }
};

/** Prints the table and writes the same as JSON. */
const report = ({ cache, options, box, taking, missing, results, failures, rtt }) => {
  const summaries = Object.fromEntries(
    Object.entries(results).map(([name, { initial, again, changed }]) => [
      name,
      { initial: summarize(initial), again: summarize(again), changed: summarize(changed) },
    ]),
  );
  const facts = machine(cache);
  const compared = ratios(summaries);
  const server = `Dovecot over TLS on loopback${options.compress ? " with COMPRESS" : ""}`;
  const rounds = `${options.rounds} interleaved ${options.rounds === 1 ? "round" : "rounds"}`;
  const rows = taking.map(({ name, label }) => ({ label, ...summaries[name] }));
  const lines = [
    "",
    `${describe(box)}; ${server}${rtt > 0 ? ` at ${rtt} ms round trip` : ""}; medians (and range) of ${rounds}.`,
    "",
    table(rows),
    "",
    ...(options.mixed ? [changedLine(changesOf(box.messages)), "", changedTable(rows), ""] : []),
    ...(missing.length > 0 ? [`Not installed and left out: ${missing.join(", ")}.`] : []),
    ...(failures.length > 0 ? ["Not worth quoting: some runs failed.", ...failures] : []),
    `Machine: ${machineLine(facts)}.`,
    ...(Object.keys(compared).length > 0 ? [`Initial mirror, wall clock: ${ratioLine(compared)}.`] : []),
  ];
  console.log(lines.join("\n"));
  const file = join(
    cache,
    `last${options.big ? "-big" : ""}${options.small ? "-small" : ""}${rtt > 0 ? `-${rtt}ms` : ""}.json`,
  );
  const { messages, bytes, folders, largest } = box;
  const json = {
    date: new Date().toISOString(),
    machine: facts,
    options,
    mailbox: { messages, bytes, folders, largest },
    medians: summaries,
    runs: results,
    ratios: compared,
    missing,
    failures,
  };
  writeFileSync(file, `${JSON.stringify(json, undefined, 2)}\n`);
  say(`JSON: ${file}`);
};

/** @param {number} count */
const changedLine = (count) =>
  `Then ${count} messages were added to INBOX, ${count} of it got or lost \\Flagged, and ${count} of it were moved to Trash.`;

/** @param {Record<string, number>} compared */
const ratioLine = (compared) =>
  Object.entries(compared)
    .map(([name, ratio]) => `${name} = ${ratio.toFixed(2)}`)
    .join(", ");

/** @param {import("./mailbox.mjs").Mailbox} box */
const describe = ({ messages, bytes, folders, largest }) =>
  `${messages.toLocaleString("en")} messages, ${Math.round(bytes / 1e6)} MB, ${folders} folders, largest message ${(largest / 1e6).toFixed(1)} MB`;

/** @param {import("./measure.mjs").Measurement} measured */
const oneLine = ({ wallS, userS, sysS, peakBytes }) =>
  `${wallS.toFixed(2)} s, CPU ${userS.toFixed(2)} + ${sysS.toFixed(2)} s, ${Math.round(peakBytes / 2 ** 20)} MiB`;

/**
 * Progress goes to stderr: stdout holds the report alone.
 *
 * @param {string} text
 */
const say = (text) => console.error(text);
