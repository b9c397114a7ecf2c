/**
 * `npm run bench -- --trees`: a tree of files to a host that is reached by ssh, beside plain rsync, rsync --fuzzy, rclone and
 * restic. What was moved is the point: a top directory that is renamed, and a thousand files.
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { lock } from "./lock.mjs";
import { machine, machineLine } from "./machine.mjs";
import { measure, settle } from "./measure.mjs";
import { random } from "./random.mjs";
import { startLink } from "./remote-link.mjs";
import { startSshd } from "./sshd.mjs";

const BACKUP = fileURLToPath(new URL("../packages/cli/bin/backup.js", import.meta.url));

/** Of the whole: 100,000 files in 2,000 directories, 5 GB. */
const FILES = 100_000;
const DIRECTORIES = 2000;
const BYTES = 50_000;
/** Where files are small, which is for what a number of entries takes. */
const FEW_BYTES = 500;
/** Moved and edited in the last step. */
const MOVED = 1000;
const EDITED = 100;

const say = (line) => console.log(line);

/**
 * @param {import("./options.mjs").Options} options
 * @param {{ signal: AbortSignal }} context
 * @returns {Promise<boolean>}
 */
export const runTrees = async (options, { signal }) => {
  const cache = resolve(options.cache);
  const unlock = lock(cache);
  const work = join(cache, "trees");
  const started = [];
  try {
    rmSync(work, { recursive: true, force: true });
    mkdirSync(join(work, "home"), { recursive: true, mode: 0o700 });
    const sshd = await startSshd();
    started.unshift(sshd);
    const link = await startLink(sshd.port);
    started.unshift(link);
    sshd.trust(link.port);
    const scale = options.scale;
    say(machineLine(machine(work)));
    for (const rtt of options.rtts) {
      const site = { work, sshd, link, signal, rtt, scale, bytes: options.small ? FEW_BYTES : BYTES };
      await compareAt(site, contendersOf(site, options.only));
    }
    return true;
  } finally {
    for (const server of started) await server.stop();
    rmSync(work, { recursive: true, force: true });
    unlock();
  }
};

/** Command lines by name; each copies `tree` to a directory of the host that is its own. */
const contendersOf = ({ work, sshd, link }, only) => {
  const ssh = `ssh -F none -p ${link.port} -i ${sshd.keyFile} -o UserKnownHostsFile=${sshd.knownHosts} -o BatchMode=yes`;
  const there = (name) => join(work, "there", name);
  const host = ["--ssh-port", String(link.port), "--dstsecret", sshd.keyFile, "--known-hosts", sshd.knownHosts];
  const rsync = (name, ...more) => [
    "rsync",
    "-aHAX",
    "--delete",
    ...more,
    "-e",
    ssh,
    "TREE/",
    `127.0.0.1:${there(name)}/`,
  ];
  const sftp = `:sftp,host=127.0.0.1,port=${link.port},user=${sshd.user},key_file=${sshd.keyFile},known_hosts_file=${sshd.knownHosts}:`;
  // Of a repository that lives as long as the benchmark.
  const password = ["env", "RESTIC_PASSWORD=bench"];
  const over = `sftp.command=${ssh} ${sshd.user}@127.0.0.1 -s sftp`;
  const restic = [...password, "restic", "-o", over, "-r", `sftp::${there("restic")}`];
  const all = {
    backup: [process.execPath, BACKUP, "file", "TREE", `127.0.0.1:${there("backup")}`, "-q", ...host],
    rsync: rsync("rsync"),
    "rsync --fuzzy": rsync("fuzzy", "--fuzzy", "--delete-after"),
    rclone: ["rclone", "sync", "--track-renames", "--config", "/dev/null", "-q", "TREE", `${sftp}${there("rclone")}`],
    restic: [...restic, "backup", "-q", "TREE"],
  };
  const wanted = Object.entries(all).filter(([name]) => only?.includes(name) ?? true);
  return { commands: Object.fromEntries(wanted), restic, there };
};

/** All steps at one distance; in each the contenders take turns on the same tree. */
const compareAt = async (site, { commands, restic, there }) => {
  const { work, link, rtt, scale, bytes, signal } = site;
  rmSync(join(work, "there"), { recursive: true, force: true });
  rmSync(join(work, "tree"), { recursive: true, force: true });
  mkdirSync(join(work, "there"), { recursive: true });
  for (const name of ["backup", "rsync", "fuzzy", "rclone"]) mkdirSync(there(name));
  const tree = join(work, "tree");
  const made = makeTree(tree, { scale, average: bytes });
  await link.stretch(0);
  if (commands.restic) execFileSync(restic[0], [...restic.slice(1), "init", "-q"], { stdio: "inherit" });
  await link.stretch(rtt);
  say(`\n${made.files} files, ${(made.bytes / 1e9).toFixed(2)} GB, ${made.directories} directories, ${rtt} ms`);
  say("| | wall clock | CPU (user + system) | peak memory | to the host + back |\n|---|---|---|---|---|");
  const steps = {
    initial: () => {},
    unchanged: () => {},
    "top directory renamed": () => renameSync(join(tree, "top"), join(tree, "renamed")),
    [`${Math.ceil(MOVED * scale)} moved, ${Math.ceil(EDITED * scale)} edited`]: () => change(tree, scale),
  };
  for (const [step, make] of Object.entries(steps)) {
    make();
    for (const [name, command] of Object.entries(commands)) {
      await settle();
      const before = await link.bytes();
      const words = command.map((word) => word.replace(/^TREE/, tree));
      const options = { command: words, cwd: work, home: join(work, "home"), log: join(work, "log"), signal };
      const { wallS, userS, sysS, peakBytes } = await measure(options);
      const after = await link.bytes();
      const [up, down] = [after.up - before.up, after.down - before.down];
      const row = [`${name}: ${step}`, `${wallS.toFixed(2)} s`, `${userS.toFixed(1)} + ${sysS.toFixed(1)} s`];
      say(`| ${[...row, `${(peakBytes / 2 ** 20).toFixed(0)} MiB`, `${size(up)} + ${size(down)}`].join(" | ")} |`);
    }
    checkEqual(tree, there, Object.keys(commands));
  }
};

const size = (bytes) => (bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

/** Files of random bytes, all below one directory. */
const makeTree = (tree, { scale, average }) => {
  const next = random(7);
  const [files, directories] = [Math.ceil(FILES * scale), Math.ceil(DIRECTORIES * scale)];
  const bytes = Buffer.alloc(2 * average);
  let total = 0;
  for (let d = 0; d < directories; d++) {
    const directory = join(tree, "top", `group${d % 40}`, `directory${d}`);
    mkdirSync(directory, { recursive: true });
    for (let f = d; f < files; f += directories) {
      const length = 1 + Math.floor(next() * 2 * average);
      for (let at = 0; at < length; at += 4)
        bytes.writeUInt32LE(Math.floor(next() * 2 ** 32), Math.min(at, bytes.length - 4));
      writeFileSync(join(directory, `file${f}`), bytes.subarray(0, length));
      total += length;
    }
  }
  return { files, directories, bytes: total };
};

/** Moves some files to another directory under another name, and adds a line to others. */
const change = (tree, scale) => {
  const top = join(tree, "renamed");
  const directories = readdirSync(top).flatMap((group) =>
    readdirSync(join(top, group)).map((name) => join(top, group, name)),
  );
  const files = directories.flatMap((directory) => readdirSync(directory).map((name) => join(directory, name)));
  const [moved, edited] = [Math.ceil(MOVED * scale), Math.ceil(EDITED * scale)];
  const step = Math.floor(files.length / (moved + edited));
  for (let i = 0; i < moved; i++)
    renameSync(files[i * step], join(directories[(i * 7) % directories.length], `moved${i}`));
  for (let i = 0; i < edited; i++) appendFileSync(files[(moved + i) * step], "a line\n");
};

/** What rsync finds different afterwards is an error; restic's is a repository. */
const checkEqual = (tree, there, names) => {
  for (const name of names) {
    if (name === "restic") continue;
    const at = there(name === "rsync --fuzzy" ? "fuzzy" : name);
    const options = ["-n", "-rt", "--delete", "--exclude=/.backup/", "--itemize-changes"];
    const found = execFileSync("rsync", [...options, `${tree}/`, `${at}/`]).toString();
    const files = found.split("\n").filter((line) => /^[<>*c.]/.test(line) && !line.startsWith(".d"));
    if (files.length > 0) throw new Error(`${name} left a difference: ${files[0]}`);
  }
};
