import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type DockerClient, runDocker } from "./engine-client.js";

const run = promisify(execFile);

const SUITE = "bookworm";
const NODE = "24.21.0";
const NPM = "11.19.1";
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "backup-ci");
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";
const CLEAN = `DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
`;
/** In memory: thousands of small files are unpacked and packed again. */
const WORK = "/dev/shm";

/**
 * Loads a stand-in for node:24-bookworm-slim into an engine that no registry can be reached from: Debian by
 * mmdebstrap, Node and npm from their npm packages. It is made once and kept in the user's cache.
 */
export async function loadBase(client: DockerClient): Promise<void> {
  const changes = [
    `ENV NODE_VERSION=${NODE}`,
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    'CMD ["node"]',
  ];
  const options = changes.flatMap((change) => ["--change", change]);
  const tag = `node:${NODE.split(".")[0]}-${SUITE}-slim`;
  const { code, stderr } = await runDocker(client, ["import", ...options, await baseFile(), tag]);
  if (code !== 0) throw new Error(`docker import ended with ${code}: ${stderr}`);
}

async function baseFile(): Promise<string> {
  const settings = await npmSettings();
  const prefix = `base-${SUITE}-`;
  // What it is made with, and what is in this file.
  const inputs = [await readFile(fileURLToPath(import.meta.url), "utf8"), ...settings.values()];
  const key = createHash("sha256").update(inputs.join("\n")).digest("hex").slice(0, 12);
  const file = join(CACHE, `${prefix}${key}.tar`);
  if (await isThere(file)) return file;
  await mkdir(CACHE, { recursive: true });
  const work = await mkdtemp(join(WORK, "bk-base-"));
  try {
    await makeBase(work, settings);
    // Those of other versions and settings are not used again.
    for (const name of await readdir(CACHE)) if (name.startsWith(prefix)) await rm(join(CACHE, name), { force: true });
    const part = `${file}.${process.pid}`;
    await cp(join(work, "base.tar"), part);
    await rename(part, file);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return file;
}

/** Files for npm in the image, by their paths: what it needs of this machine to reach the registry. */
async function npmSettings(): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await run("npm", ["config", "get", "registry"]);
  const files = new Map([["etc/npmrc", `registry=${stdout.trim()}\n`]]);
  const certificates = await readFile(CERTIFICATES, "utf8").catch(() => undefined);
  if (certificates === undefined) return files;
  files.set("etc/npmrc", `${files.get("etc/npmrc")}cafile=/usr/local/share/certificates.pem\n`);
  return files.set("share/certificates.pem", certificates);
}

async function makeBase(work: string, settings: ReadonlyMap<string, string>): Promise<void> {
  const local = join(work, "usr/local");
  for (const name of ["bin", "etc", "share", "lib/node_modules"]) await mkdir(join(local, name), { recursive: true });
  for (const [name, text] of settings) await writeFile(join(local, name), text);
  const arch = process.arch === "arm64" ? "arm64" : "x64";
  await unpack(`node-linux-${arch}@${NODE}`, join(work, "node"));
  await rename(join(work, "node/bin/node"), join(local, "bin/node"));
  await unpack(`npm@${NPM}`, join(local, "lib/node_modules/npm"));
  for (const name of ["npm", "npx"])
    await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, "bin", name));
  // As in Debian's images: apt keeps neither packages nor indexes.
  await writeFile(join(work, "clean"), CLEAN);
  const debian = ["--quiet", "--variant=minbase", "--mode=root", "--include=libatomic1,usr-is-merged"].concat(
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
    ["man", "info", "locale", "doc"].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    '--aptopt=Acquire::Languages "none"',
  );
  const hooks = [
    `copy-in ${join(work, "usr")} /`,
    `upload ${join(work, "clean")} /etc/apt/apt.conf.d/docker-clean`,
    'chroot "$1" useradd --uid 1000 --user-group --shell /bin/bash --create-home node',
    'rm -f "$1/etc/resolv.conf" "$1/etc/hostname" "$1"/var/cache/apt/*.bin',
  ];
  const args = debian.concat(
    hooks.map((hook) => `--customize-hook=${hook}`),
    SUITE,
    join(work, "base.tar"),
  );
  await run("mmdebstrap", args, { env: { ...process.env, TMPDIR: WORK } });
}

/** Unpacks a package of the npm registry into this directory. */
async function unpack(name: string, directory: string): Promise<void> {
  await mkdir(directory);
  const { stdout } = await run("npm", ["pack", "--silent", name], { cwd: directory });
  const file = join(directory, stdout.trim());
  await run("tar", ["-xzf", file, "--strip-components=1", "--no-same-owner", "-C", directory]);
  await rm(file);
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    (stats) => stats.size > 0,
    () => false,
  );
}
