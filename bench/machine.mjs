/** What a reader must know to compare figures: the machine, the disk, the versions. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";

const VERSIONS = {
  Dovecot: ["dovecot", "--version"],
  mbsync: ["mbsync", "--version"],
  offlineimap: ["offlineimap", "--version"],
};

/** @param {string} dest where the mirrors are written */
export const machine = (dest) => ({
  cpu: os.cpus()[0]?.model ?? "unknown CPU",
  cores: os.cpus().length,
  memoryGiB: Math.round(os.totalmem() / 2 ** 30),
  kernel: `${os.type()} ${os.release()}`,
  filesystem: firstLine("stat", "-f", "-c", "%T", dest),
  node: process.version,
  backup: JSON.parse(readFileSync(new URL("../packages/cli/package.json", import.meta.url), "utf8")).version,
  commit: firstLine("git", "describe", "--always", "--dirty"),
  ...Object.fromEntries(Object.entries(VERSIONS).map(([name, command]) => [name, version(...command)])),
});

/** @param {ReturnType<typeof machine>} facts */
export const machineLine = (facts) => {
  const versions = ["backup", ...Object.keys(VERSIONS)].filter((name) => facts[name]);
  return [
    `${facts.cpu}, ${facts.cores} cores, ${facts.memoryGiB} GiB`,
    facts.kernel,
    facts.filesystem,
    `Node ${facts.node}`,
    ...versions.map((name) => `${name} ${facts[name]}`),
  ].join("; ");
};

/** @param {string[]} command */
const version = (...command) => /\d+(?:\.\d+)+/.exec(firstLine(...command) ?? "")?.[0];

/** @param {string[]} command */
const firstLine = (...command) => {
  const { status, stdout } = spawnSync(command[0], command.slice(1), { encoding: "utf8" });
  return status === 0 ? stdout.trim().split("\n")[0] : undefined;
};
