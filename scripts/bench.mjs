/** `npm run bench`: checks what is installed, then runs bench/run.mjs. */
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { OURS } from "../bench/contenders.mjs";
import { runFleet } from "../bench/fleet-run.mjs";
import { readOptions, USAGE } from "../bench/options.mjs";
import { runHistory } from "../bench/history.mjs";
import { runRemote } from "../bench/remote-run.mjs";
import { runRestore } from "../bench/restore-run.mjs";
import { run } from "../bench/run.mjs";
import { runTrees } from "../bench/trees-run.mjs";
import { runVerify } from "../bench/verify-run.mjs";

/** The Debian package of every program that must be there, and of those that are compared. */
const NEEDED = { dovecot: "dovecot-imapd", openssl: "openssl", "/usr/bin/time": "time" };
const NEEDED_REMOTE = { ...NEEDED, sshd: "openssh-server", ssh: "openssh-client", rsync: "rsync" };
const NEEDED_FLEET = { ...NEEDED, "redis-server": "redis-server", "redis-cli": "redis-tools" };
const RIVALS = {
  mbsync: { program: "mbsync", package: "isync" },
  offlineimap3: { program: "offlineimap", package: "offlineimap3" },
};
const RIVALS_REMOTE = { rclone: { program: "rclone", package: "rclone" } };

/** @param {string} program */
const installed = (program) => {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"];
  return folders.some((folder) => executable(program.startsWith("/") ? program : join(folder, program)));
};

/** @param {string} path */
const executable = (path) => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** @param {import("../bench/options.mjs").Options} options */
const benchmarkOf = ({ history, verify, restore, remote, fleet, trees }) => {
  if (trees) return runTrees;
  if (fleet) return runFleet;
  if (history) return runHistory;
  if (verify) return runVerify;
  if (restore) return runRestore;
  return remote ? runRemote : run;
};

const main = async () => {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  const needed = options.fleet
    ? NEEDED_FLEET
    : options.remote || options.verify || options.history
      ? NEEDED_REMOTE
      : NEEDED;
  const lacking = Object.entries(needed).filter(([program]) => !installed(program));
  if (lacking.length > 0) {
    const packages = lacking.map(([, name]) => name).join(" ");
    console.error(`The benchmark needs more programs: apt-get install --no-remove ${packages}`);
    return 2;
  }
  const wanted = (name) => options.only?.includes(name) ?? true;
  const rivals =
    options.verify || options.restore || options.history || options.fleet
      ? {}
      : options.remote
        ? RIVALS_REMOTE
        : RIVALS;
  const missing = Object.keys(rivals).filter(
    (name) => (options.remote || wanted(name)) && !installed(rivals[name].program),
  );
  for (const name of missing) {
    console.error(`${name} is left out: to compare it, apt-get install --no-remove ${rivals[name].package}`);
  }
  if (
    (options.remote || options.verify || wanted("ours")) &&
    options.ours === OURS &&
    !existsSync(join(options.top, "packages/cli/bundle/main.js"))
  ) {
    console.error("backup itself is not built: npm run build");
    return 2;
  }
  process.env.PATH = `${process.env.PATH}${delimiter}/usr/sbin`;
  const abort = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => abort.abort(new Error("interrupted")));
  const benchmark = benchmarkOf(options);
  return (await benchmark(options, { missing, signal: abort.signal })) ? 0 : 1;
};

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = error.message === "interrupted" ? 130 : 2;
}
