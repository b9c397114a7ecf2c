import { BackupError, type PluginOptions } from "@backup/core";
import type { ConnectedBy } from "@backup/transport-rsync";
import { parseRemote } from "@backup/transport-rsync/remote";

/** Where both ends of a tree are on other hosts, who connects them. */
export interface BetweenArguments {
  readonly runonsrc: boolean;
  readonly runondst: boolean;
  readonly hostKeyFingerprint?: string | undefined;
  readonly transport?: string | undefined;
}

/** @param ends what the source of a backup and its destination are called */
export function betweenOptions({ source, destination }: Readonly<Record<"source" | "destination", string>>) {
  return {
    runonsrc: {
      type: "boolean",
      describe: `Both on other hosts: that of ${source} reaches the other by its own ssh, and nothing passes through here`,
    },
    runondst: {
      type: "boolean",
      describe: `Both on other hosts: that of ${destination} reaches the other by its own ssh`,
    },
  } as const satisfies PluginOptions;
}

/** @throws BackupError USAGE */
export function checkBetween(
  { runonsrc, runondst, hostKeyFingerprint, transport }: BetweenArguments,
  ends: readonly [string, string],
): void {
  const isBetween = ends.every((end) => parseRemote(end) !== undefined);
  if (runonsrc && runondst)
    throw new BackupError("USAGE", "--runonsrc and --runondst exclude each other; leave one of them out");
  if ((runonsrc || runondst) && !isBetween)
    throw new BackupError(
      "USAGE",
      `--runon${runonsrc ? "src" : "dst"} is for two directories on other hosts, and one of them is here; leave it out`,
    );
  if ((runonsrc || runondst) && transport === "sftp")
    throw new BackupError(
      "USAGE",
      `with --runon${runonsrc ? "src" : "dst"} rsync copies; leave that out, or --transport sftp`,
    );
  if (isBetween && hostKeyFingerprint !== undefined)
    throw new BackupError(
      "USAGE",
      "--host-key-fingerprint is of one host, and both ends are on other hosts; put their keys into a file for --known-hosts",
    );
}

/** Of a backup; a restore goes the other way. */
export function connectedBy({ runonsrc, runondst }: BetweenArguments): ConnectedBy {
  return runonsrc ? "source" : runondst ? "destination" : "here";
}
