import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BackupError, type DrillPlace, atExit, drillInto, systemCode } from "@backup/core";
import type { AccountArguments } from "@backup/imap/options";
import type { ActionContext } from "./action.js";
import { contextFor } from "./context-for.js";
import type { OpenBackup } from "./open-backup.js";
import { accountAt } from "./verify-server.js";

/** Options that say where a drill restores to. */
export interface DrillPlaceArguments extends Omit<AccountArguments, "user" | "server" | "connections"> {
  readonly server?: string | undefined;
  readonly user?: string | undefined;
}

export interface OpenDrillPlace {
  readonly place: DrillPlace;
  /** The account's user, and its server as it was given; undefined: this machine. */
  readonly account: string | undefined;
}

/** A new folder of an account where there is a server, else a new directory of this machine. @throws BackupError USAGE, SECRET_MISSING */
export async function openDrillPlace(
  { server, ...args }: DrillPlaceArguments,
  opened: OpenBackup,
  context: ActionContext,
): Promise<OpenDrillPlace> {
  if (server === undefined) return { place: drillHere, account: undefined };
  const account = accountAt({ ...args, server }, opened);
  const { user, tlsCa, timeout } = account;
  // Loaded when used: it costs start-up time.
  const { openImapDrill } = await import("@backup/imap");
  const inner = contextFor(args, context);
  const place = await openImapDrill({ user, server, tlsCa, timeoutMs: timeout * 1000 }, inner);
  return { place, account: `${user} at ${server}` };
}

/** Into a directory that only this user may enter, and that goes with the process if that is ended in a hurry. */
const drillHere: DrillPlace = async (request) => {
  const directory = await mkdtemp(join(tmpdir(), "backup-drill-")).catch((error: unknown) => {
    const reason = systemCode(error) ?? "unknown error";
    const message = `nothing can be restored to ${tmpdir()} (${reason}); make room there, or set TMPDIR to another directory`;
    throw new BackupError("DESTINATION_UNWRITABLE", message, { cause: error });
  });
  using _gone = atExit(() => rmSync(directory, { recursive: true, force: true }));
  try {
    return await drillInto(directory)(request);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};
