import type { CounterpartOf } from "@backup/core";
import { parseServer } from "./server.js";

/** What is said of the account that a backup is of. */
export interface BackupAccountArguments {
  readonly server: string;
  readonly user?: string | undefined;
}

/**
 * The account that a backup is of, at this server. A backup of `alice` at mail.example.org says the same of itself as
 * one of `alice@mail.example.org` does: then it is taken for the first.
 */
export function userOf({ server, user }: BackupAccountArguments, { source }: CounterpartOf): string {
  const address = source.slice(source.indexOf(":") + 1);
  const suffix = `@${parseServer(server).host}`;
  return user ?? (address.endsWith(suffix) ? address.slice(0, -suffix.length) : address);
}
