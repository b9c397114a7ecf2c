import { missing } from "./complaint.js";
import { directoryOf, fileNameOf } from "./findings.js";
import type { Machine } from "./machine.js";
import { COPY_DATABASE, FIND_DATABASES, HAS_PROGRAM, MISSING } from "./scripts.js";
import type { Settings } from "./settings.js";
import type { Looking } from "./texts.js";
import { isVolatile } from "./volatile.js";

/** Directories of the backup with the databases of Samba's private and of its state directory. */
export const PRIVATE = "private";
export const STATE = "state";

/** Databases that Samba keeps what is permanent in. */
export interface Databases {
  /** Paths of those that may be opened. */
  readonly readable: readonly string[];
  /** Paths of those, or of directories of them, that may not. */
  readonly denied: readonly string[];
  /** Directories that are not there. */
  readonly absent: readonly string[];
}

/** @throws BackupError PROGRAM_FAILED and those of the connection */
export async function findDatabases(machine: Machine, settings: Settings): Promise<Databases> {
  const { privateDirectory, stateDirectory, passwordDatabases } = settings;
  const directories = [privateDirectory, stateDirectory];
  const places = [...new Set([...directories, ...passwordDatabases])];
  const { stdout } = await machine.run(["sh", "-c", FIND_DATABASES, "sh", ...places]);
  const rows = stdout.toString().split("\0").slice(0, -1);
  const marked = (mark: string): readonly string[] => [
    ...new Set(rows.filter((row) => row.startsWith(mark)).map((row) => row.slice(1))),
  ];
  const isWanted = (path: string): boolean => passwordDatabases.includes(path) || !isVolatile(fileNameOf(path));
  return {
    readable: marked("y").filter(isWanted),
    denied: marked("n").filter(isWanted),
    absent: marked("-").filter((path) => directories.includes(path)),
  };
}

/** Has the databases copied by tdbbackup(8), each as a file of its own; says which cannot be. */
export async function addDatabases({ findings, machine, databases }: Looking, settings: Settings): Promise<void> {
  const { readable, denied, absent } = databases;
  for (const directory of absent)
    findings.fail(directory, missing(`there is no ${directory} on ${machine.name}, where Samba would have databases`));
  if (denied.length > 0) {
    const message = `root alone may copy ${denied.join(", ")} on ${machine.name}, and ${await userOf(machine)} asks: not in this backup; run as root, or write root@ before the host`;
    findings.fail("databases", missing(message));
  }
  if (readable.length === 0) return;
  if (!(await hasTdbbackup(machine))) {
    const names = readable.map(fileNameOf).join(", ");
    const message = `${machine.name} has no tdbbackup, and so ${names} are not in this backup; install the package tdb-tools`;
    return findings.fail("databases", missing(message));
  }
  for (const path of readable) {
    const explain = (why: string): string => `${path} on ${machine.name} cannot be copied by tdbbackup: ${why}`;
    const command = ["sh", "-c", COPY_DATABASE, "sh", path] as const;
    findings.addProgram(placeOf(path, settings), fileNameOf(path), { machine, command, explain });
  }
}

async function hasTdbbackup(machine: Machine): Promise<boolean> {
  const { status } = await machine.run(["sh", "-c", HAS_PROGRAM, "sh", "tdbbackup"], { accept: [MISSING] });
  return status === 0;
}

async function userOf(machine: Machine): Promise<string> {
  const { stdout } = await machine.run(["id", "-un"], { accept: [1] });
  return stdout.toString().trim() || "another user";
}

function placeOf(path: string, { privateDirectory, stateDirectory }: Settings): string {
  const directory = path.slice(0, path.lastIndexOf("/"));
  if (directory === privateDirectory) return PRIVATE;
  return directory === stateDirectory ? STATE : directoryOf(path);
}
