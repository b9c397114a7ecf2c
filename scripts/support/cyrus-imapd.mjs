import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT, mustRun, outputOf, run } from "./run.mjs";

const CACHE = join(ROOT, "node_modules/.cache/cyrus");

/**
 * Unpacks Debian's cyrus-imapd into node_modules/.cache/cyrus: it cannot be installed beside dovecot-imapd.
 * In the version of cyrus-common, whose libraries it uses.
 */
export async function ensureCyrusImapd() {
  const version = await outputOf("dpkg-query", ["-W", "-f", "${Version}", "cyrus-common"]);
  if (version === undefined) throw new Error("cyrus-common is not installed");
  if ((await cachedVersion()) === version) return;
  const work = `${CACHE}.${process.pid}`;
  await mkdir(work, { recursive: true });
  try {
    await download(work, version);
    const deb = (await readdir(work)).find((name) => name.endsWith(".deb"));
    if (deb === undefined) throw new Error("apt-get download left no cyrus-imapd package");
    await mustRun("dpkg", ["-x", join(work, deb), work]);
    await rm(join(work, deb));
    await writeFile(join(work, "version"), version);
    await rm(CACHE, { recursive: true, force: true });
    await rename(work, CACHE);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function download(directory, version) {
  // As root, since apt's own user cannot write here; it is checked against the signed lists all the same.
  const args = ["download", "-q", "-o", "APT::Sandbox::User=root", `cyrus-imapd=${version}`];
  if ((await run("apt-get", args, { cwd: directory })) === 0) return;
  await mustRun("apt-get", ["update", "-q"]);
  await mustRun("apt-get", args, { cwd: directory });
}

async function cachedVersion() {
  try {
    return await readFile(join(CACHE, "version"), "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}
