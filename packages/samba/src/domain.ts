import type { Findings } from "./findings.js";
import type { Machine } from "./machine.js";
import { BACK_UP_DOMAIN, FINGERPRINT_DOMAIN, MISSING } from "./scripts.js";
import type { Settings } from "./settings.js";

/** Directory of the backup with the archive of the domain, and its name there. */
export const DOMAIN = "domain";
const ARCHIVE = "domain-backup.tar.bz2";

export interface Domain {
  readonly findings: Findings;
  readonly machine: Machine;
  readonly settings: Settings;
  /** Its configuration. */
  readonly path: string;
}

export function isDomainController({ serverRole }: Pick<Settings, "serverRole">): boolean {
  return /^active directory domain controller$/i.test(serverRole);
}

/** Has samba-tool(8) make an archive of the domain: each time another one, so it is asked for when something has changed. */
export async function addDomain({ findings, machine, settings, path }: Domain): Promise<void> {
  const { serverRole, privateDirectory, stateDirectory } = settings;
  const explain = (why: string, status: number): string =>
    status === MISSING
      ? `${machine.name} has no samba-tool, which backs up a domain controller; install it, or say --domain-backup no`
      : `samba-tool domain backup on ${machine.name}, whose role is ${serverRole}, fails: ${why}`;
  const command = ["sh", "-c", BACK_UP_DOMAIN, "sh", "-s", path] as const;
  const fingerprint = await fingerprintOf(machine, [privateDirectory, stateDirectory, path]);
  findings.addProgram(DOMAIN, ARCHIVE, { machine, command, accept: [MISSING], explain });
  if (fingerprint !== undefined) findings.setFingerprint(DOMAIN, fingerprint);
}

/** Undefined: it cannot be told. */
async function fingerprintOf(machine: Machine, places: readonly string[]): Promise<string | undefined> {
  const { status, stdout } = await machine.run(["sh", "-c", FINGERPRINT_DOMAIN, "sh", ...places], {
    accept: [1, MISSING],
  });
  const [sum] = /^[0-9a-f]{64}/.exec(stdout.toString()) ?? [];
  return status === 0 ? sum : undefined;
}
