import { BackupError, type EventSink } from "@backup/core";
import { complaintOf, missing } from "./complaint.js";
import { ConfigFiles } from "./config-files.js";
import { addDatabases, findDatabases } from "./databases.js";
import { addDomain, isDomainController } from "./domain.js";
import { FACTS_FILE, factsOf } from "./facts.js";
import { Findings } from "./findings.js";
import type { Machine } from "./machine.js";
import { readConfigFile, readSettings } from "./settings.js";
import { testparm } from "./testparm.js";
import { SETTINGS, addRegistry, addShareAcls } from "./texts.js";

export interface SurveyOptions {
  readonly machine: Machine;
  /** Another configuration than the one that was compiled in: an absolute path. */
  readonly smbConf?: string | undefined;
  /** `auto`: where the machine is a domain controller. */
  readonly domainBackup: "auto" | "yes" | "no";
  readonly onEvent: EventSink;
}

/**
 * Finds what there is to back up of a Samba, and reads what is small. What cannot be had is among the failures.
 * @throws BackupError NOT_FOUND, PROGRAM_MISSING, ITEM_UNREADABLE where there is no Samba or no configuration; and those of
 * the connection
 */
export async function survey({ machine, smbConf, domainBackup, onEvent }: SurveyOptions): Promise<Findings> {
  const findings = new Findings();
  const config = new ConfigFiles(machine, findings);
  const inForce = await testparm(machine, smbConf === undefined ? [] : [smbConf]);
  const path = smbConf ?? readConfigFile(inForce.stderr);
  const complaint = complaintOf(inForce.stderr);
  if (path === undefined)
    throw new BackupError("PROTOCOL", `testparm on ${machine.name} does not say what it reads: ${complaint}`);
  await config.addMain(path);
  if (inForce.text === "") {
    const advice = /denied/i.test(complaint) ? "root may do more" : "correct it";
    const message = `testparm on ${machine.name} refuses ${path} (${complaint}): only the files of the configuration are in this backup; ${advice}`;
    findings.fail("databases", missing(message));
    return findings;
  }
  findings.addText(SETTINGS, "testparm.txt", inForce.text);
  const settings = readSettings((await testparm(machine, ["-v", path])).text);
  for (const file of settings.userFiles) await config.add(file);
  if (settings.usershares !== undefined) await config.addAll(settings.usershares);
  for (const kind of settings.otherPasswords)
    onEvent({
      type: "warning",
      code: "ITEM_MISSING",
      message: `users and their passwords are in ${kind}, and not in this backup of Samba on ${machine.name}`,
    });

  const databases = await findDatabases(machine, settings);
  const looking = { machine, findings, smbConf, databases };
  const registry = await addRegistry(looking, config.registry);
  if (registry !== undefined) await config.follow(registry, "the registry");
  await addShareAcls(looking);
  const isDomain = domainBackup === "yes" || (domainBackup === "auto" && isDomainController(settings));
  // The archive of a domain holds them all.
  if (isDomain) await addDomain({ findings, machine, settings, path });
  else await addDatabases(looking, settings);
  const facts = await factsOf({ machine, settings, path, isDomain, files: config.paths });
  findings.addText(SETTINGS, FACTS_FILE, `${JSON.stringify(facts, null, 2)}\n`);
  return findings;
}
