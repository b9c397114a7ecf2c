/**
 * The mailbox that the benchmark mirrors: made straight as a Dovecot Maildir, because appending 900 MB over IMAP takes
 * minutes. The same parameters always give the same folders, names, UIDs, sizes, flags and bytes.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folders } from "./folders.mjs";
import { bodyPools, writeMessage } from "./message.mjs";
import { random } from "./random.mjs";

/** Raise it whenever the same parameters would give another mailbox: it is part of the cache's name. */
const FORMAT = 1;
export const SEED = 20_261_101;
const UIDVALIDITY = 1_700_000_000;

/**
 * @typedef {object} Mailbox
 * @property {string} name    name of its directory in the cache
 * @property {string} dir     the Maildir++ that Dovecot serves
 * @property {number} messages
 * @property {number} bytes   what the server sends for all bodies (RFC822.SIZE, line ends as CRLF)
 * @property {number} folders
 * @property {number} largest bytes of the largest message
 * @property {number} [generatedInS] seconds that making it took, if this run made it
 */

/**
 * The mailbox with these message sizes: from the cache, or made now.
 *
 * @param {{ cache: string, name: string, sizes: readonly number[] }} options
 * @returns {Mailbox}
 */
export const mailbox = ({ cache, name, sizes }) => {
  const base = `${name}-v${FORMAT}`;
  const root = join(cache, base);
  const manifest = join(root, "manifest.json");
  const dir = join(root, "Maildir");
  if (existsSync(manifest)) return { name: base, dir, ...JSON.parse(readFileSync(manifest, "utf8")) };

  const started = performance.now();
  rmSync(root, { recursive: true, force: true });
  const making = `${root}.partial`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making, { recursive: true, mode: 0o755 });
  const made = generate(join(making, "Maildir"), sizes);
  if (process.getuid?.() === 0) execFileSync("chown", ["-R", "mail:mail", join(making, "Maildir")]);
  writeFileSync(join(making, "manifest.json"), JSON.stringify(made));
  renameSync(making, root);
  return { name: base, dir, ...made, generatedInS: (performance.now() - started) / 1000 };
};

/**
 * @param {string} dir
 * @param {readonly number[]} sizes
 */
const generate = (dir, sizes) => {
  const next = random(SEED + 1);
  const pools = bodyPools(next);
  const totals = { messages: 0, bytes: 0, folders: 0, largest: 0 };
  let taken = 0;
  for (const folder of folders(sizes.length)) {
    const at = join(dir, folder.dir);
    for (const sub of ["cur", "new", "tmp"]) mkdirSync(join(at, sub), { recursive: true, mode: 0o700 });
    const uidlist = [];
    let uid = 0;
    let epoch = folder.epoch;
    for (const size of sizes.slice(taken, taken + folder.messages)) {
      uid += next() < 0.8 ? 1 : 1 + Math.floor(next() * 40); // gaps, as deleted messages leave them
      epoch += 60 + Math.floor(next() * 20_000);
      const { name, sent } = writeMessage({ dir: join(at, "cur"), folder: folder.name, uid, epoch, size, pools, next });
      uidlist.push(`${uid} :${name}\n`);
      totals.messages++;
      totals.bytes += sent;
      totals.largest = Math.max(totals.largest, sent);
    }
    taken += folder.messages;
    totals.folders++;
    const guid = totals.folders.toString(16).padStart(32, "b");
    writeFileSync(join(at, "dovecot-uidlist"), `3 V${UIDVALIDITY} N${uid + 1} G${guid}\n${uidlist.join("")}`);
    writeFileSync(join(at, "dovecot-keywords"), "0 $Forwarded\n1 $label1\n");
  }
  return totals;
};
