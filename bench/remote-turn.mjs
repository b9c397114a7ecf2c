/** One turn: every step once, at one distance, each into an empty directory of its own. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { measure, settle } from "./measure.mjs";
import { count } from "./remote-count.mjs";
import { flagChanges, withFlags } from "./remote-flags.mjs";

/**
 * @typedef {object} Site
 * @property {string} top        the repository: our program runs there
 * @property {string} work       emptied before and after
 * @property {string} logs
 * @property {string} subset     a mirror of the folders that rclone copies, if it is not everything
 * @property {import("./mailbox.mjs").Mailbox} box
 * @property {import("./dovecot.mjs").Server} server
 * @property {import("./sshd.mjs").Sshd} sshd
 * @property {{ imap: import("./remote-link.mjs").Link, ssh: import("./remote-link.mjs").Link }} links
 * @property {AbortSignal} signal
 * @property {(text: string) => void} say
 */

/**
 * @typedef {import("./measure.mjs").Measurement & { wire?: { up: number, down: number } }} RemoteMeasurement
 * wire: bytes of the ssh connections, as TCP carried them; undefined where no proxy counts
 */

/**
 * @param {Site} site
 * @param {{ name: string, rtt: number, steps: readonly import("./remote-steps.mjs").Step[] }} turn rtt: milliseconds
 * @returns {Promise<{ measured: Record<string, RemoteMeasurement>, failures: string[] }>} measured: by step
 */
export const turn = async (site, { name, rtt, steps }) => {
  const { work, server, box, signal, say } = site;
  const results = { measured: {}, failures: [] };
  const flagged = {};
  const empty = () => rmSync(work, { recursive: true, force: true });

  const changes = flagChanges(box.messages);
  const failed = (what, error) => {
    signal.throwIfAborted();
    results.failures.push(`${name}, ${what}: ${error.message}`);
    say(`FAILED ${results.failures.at(-1)}`);
  };
  const attempt = async (step) => {
    if (step.needs.some((id) => results.measured[id] === undefined)) return;
    try {
      const measured = await oneStep(site, { name, rtt, step });
      const got = count(join(work, step.dest));
      complete(got, step.holds === "account" ? box : count(site.subset));
      if (step.changed && got.flagged !== flagged[step.dest] + changes) {
        throw new Error(`incomplete: ${got.flagged - flagged[step.dest]} of ${changes} flags`);
      }
      flagged[step.dest] = got.flagged;
      results.measured[step.id] = measured;
      say(`${name}, ${step.id}: ${oneLine(measured)}`);
    } catch (error) {
      failed(step.id, error);
    }
  };

  empty();
  mkdirSync(join(work, "home"), { recursive: true, mode: 0o700 });
  try {
    for (const step of steps.filter(({ changed }) => !changed)) await attempt(step);
    const later = steps.filter(({ changed }) => changed);
    if (later.length > 0) {
      await withFlags({ server, messages: box.messages }, async () => {
        for (const step of later) await attempt(step);
      }).catch((error) => failed("flags", error));
    }
  } finally {
    empty();
  }
  return results;
};

/** @returns {Promise<RemoteMeasurement>} */
const oneStep = async ({ top, work, logs, subset, server, sshd, links, signal }, { name, rtt, step }) => {
  const dir = (which) => (which === "subset" ? subset : join(work, which));
  const direct = { imapPort: server.port, sshPort: sshd.port };
  const place = { ...(rtt > 0 ? { imapPort: links.imap.port, sshPort: links.ssh.port } : direct), server, sshd };
  mkdirSync(dir(step.dest), { recursive: true, mode: 0o700 });
  for (const link of Object.values(links)) await link.stretch(step.far ? 2 * rtt : rtt);
  await settle();
  const before = await links.ssh.bytes();
  const log = join(logs, `remote-${name.replaceAll(/\W+/g, "-")}-${step.id}`);
  const measured = await measure({
    command: step.command(place, dir),
    cwd: top,
    home: join(work, "home"),
    log,
    signal,
  });
  const after = await links.ssh.bytes();
  const wire = { up: after.up - before.up, down: after.down - before.down };
  return wire.up + wire.down > 0 ? { ...measured, wire } : measured;
};

/**
 * @param {{ messages: number, bytes: number }} got
 * @param {{ messages: number, bytes: number }} wanted
 * @throws when they differ
 */
const complete = (got, wanted) => {
  if (got.messages !== wanted.messages || got.bytes !== wanted.bytes) {
    throw new Error(
      `incomplete: ${got.messages} of ${wanted.messages} messages with ${got.bytes} of ${wanted.bytes} bytes`,
    );
  }
};

/** @param {RemoteMeasurement} measured */
const oneLine = ({ wallS, userS, sysS, peakBytes, wire }) => {
  const carried = wire ? `, ssh ${wire.up} + ${wire.down} bytes` : "";
  return `${wallS.toFixed(2)} s, CPU ${userS.toFixed(2)} + ${sysS.toFixed(2)} s, ${Math.round(peakBytes / 2 ** 20)} MiB${carried}`;
};
