import { type CommandLine, isBackupError } from "@backup/core";
import { complaintOf, failureOf, missing } from "./complaint.js";
import type { Databases } from "./databases.js";
import type { Findings } from "./findings.js";
import type { Machine } from "./machine.js";

/** Directory of the backup for what Samba's programs say. */
export const SETTINGS = "settings";

/** A Samba that is looked at, and what was found of it. */
export interface Looking {
  readonly machine: Machine;
  readonly findings: Findings;
  readonly smbConf: string | undefined;
  readonly databases: Databases;
}

/**
 * What is configured in the registry, as net(8) prints it; undefined: nothing, or nothing can be had of it.
 * @param isReferred the configuration says that it is there
 */
export async function addRegistry(looking: Looking, isReferred: boolean): Promise<string | undefined> {
  const { machine, findings, databases } = looking;
  // net(8) would make one where there is none.
  if (!has(databases, "registry.tdb")) {
    const message = `the configuration on ${machine.name} refers to the registry, and there is no registry.tdb`;
    if (isReferred && databases.denied.length === 0) findings.fail("registry", missing(message));
    return undefined;
  }
  const text = await printed(looking, ["net", "conf", "list"], "registry");
  if (text === undefined || (text.trim() === "" && !isReferred)) return undefined;
  findings.addText(SETTINGS, "registry.conf", text);
  return text;
}

/** What sharesec(1) prints, for people: the database has it too. */
export async function addShareAcls(looking: Looking): Promise<void> {
  if (!has(looking.databases, "share_info.tdb")) return;
  const text = await printed(looking, ["sharesec", "--view-all"], "share ACLs");
  if (text !== undefined && text.trim() !== "") looking.findings.addText(SETTINGS, "share-acls.txt", text);
}

function has({ readable }: Databases, name: string): boolean {
  return readable.some((path) => path.endsWith(`/${name}`));
}

/** What a program of Samba's prints; undefined: it fails, which is told. */
async function printed(
  { machine, findings, smbConf }: Looking,
  command: CommandLine,
  what: string,
): Promise<string | undefined> {
  const fail = (why: string, cause?: unknown): undefined => {
    findings.fail(what, missing(`${command.join(" ")} on ${machine.name} fails: ${why}`, cause));
  };
  try {
    const option = smbConf === undefined ? [] : [`--configfile=${smbConf}`];
    const { stdout, stderr } = await machine.run([...command, ...option]);
    // Some of them fail, say so, and end with 0.
    return /^(?:Unable|Failed) to/im.test(stderr) ? fail(complaintOf(stderr)) : stdout.toString();
  } catch (error) {
    const failure = isBackupError(error, "PROGRAM_MISSING") ? { why: error.message } : failureOf(error);
    if (!failure) throw error;
    return fail(failure.why, error);
  }
}
