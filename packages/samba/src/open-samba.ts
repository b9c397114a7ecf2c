import { resolve } from "node:path";
import { type PluginContext, DumpSource } from "@backup/core";
import { type RemoteSource, openRemotePrograms, parseRemote } from "@backup/transport-rsync";
import { thisMachine } from "./machine.js";
import { SambaTarget } from "./restore-samba.js";
import { type SurveyOptions, survey } from "./survey.js";

export interface SambaArguments extends Pick<SurveyOptions, "smbConf" | "domainBackup"> {
  /** `[user@]host:`; undefined: this machine. */
  readonly source?: string | undefined;
  /** How the source's host is reached. */
  readonly host?: RemoteSource | undefined;
}

/** What there is to back up of a Samba, each file an item. Connects to nothing yet. @throws BackupError as openRemotePrograms */
export async function openSamba(args: SambaArguments, context: PluginContext): Promise<DumpSource> {
  const { source, host, smbConf, domainBackup } = args;
  const { onEvent, signal } = context;
  const remote = source === undefined ? undefined : parseRemote(source);
  const programs = remote && host ? await openRemotePrograms({ ...host, remote, runner: context, signal }) : undefined;
  const machine = programs ?? thisMachine(context);
  return new DumpSource({
    id: `samba:${remote?.host ?? "localhost"}${smbConf === undefined ? "" : `:${smbConf}`}`,
    dispose: async () => programs?.[Symbol.asyncDispose](),
    collections: async function* () {
      const findings = await survey({ machine, smbConf, domainBackup, onEvent });
      yield* findings.failures;
      for (const { path, dumps, fingerprint } of findings.directories)
        yield { path, name: path, dumps: () => dumps, ...(fingerprint === undefined ? {} : { fingerprint }) };
    },
  });
}

export interface SambaTargetArguments {
  readonly target: string;
  readonly overwrite: boolean;
  readonly privateDirectory?: string | undefined;
  readonly stateDirectory?: string | undefined;
}

/** Where a Samba is brought back to. */
export function openSambaTarget({ target, ...options }: SambaTargetArguments): SambaTarget {
  return new SambaTarget({ ...options, directory: resolve(target) });
}
