import { utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { contentOf } from "@backup/core";
import type { RestoreReport } from "@backup/core";
import { type Result, eventsOf } from "./command.js";
import type { Account } from "./oracle.js";

/** What a restore with `--json` reported. */
export function restoredBy(result: Result): RestoreReport {
  const end = eventsOf(result).find((event) => event.type === "restored");
  if (end?.type !== "restored") throw new Error(`no report; exit ${result.code}: ${result.stderr}${result.stdout}`);
  return end.report;
}

/** The messages of every folder that has some, by the folder's parts: bytes, flags and dates, whatever their UIDs are. */
export function contentsOf(account: Account): Readonly<Record<string, readonly string[]>> {
  const folders = account.folders
    .filter(({ messages }) => messages.length > 0)
    .map(({ name, delimiter, messages }) => {
      const lines = messages.map(({ sha256, flags, date }) => `${date} ${sha256} ${flags.join(" ")}`);
      return [delimiter === null ? name : name.split(delimiter).join("/"), lines.toSorted()] as const;
    });
  return Object.fromEntries(folders);
}

export function totalOf(account: Account): number {
  return account.folders.reduce((sum, { messages }) => sum + messages.length, 0);
}

export interface Planted {
  readonly uid: number;
  readonly bytes: Buffer;
  readonly date: Date;
  /** Default: that of the bytes. */
  readonly digest?: string;
}

/** Puts a message into a folder of a backup, in the format of docs/format.md. */
export async function plantMessage(folder: string, { uid, bytes, date, digest }: Planted): Promise<void> {
  const seconds = date.getTime() / 1000;
  const epoch = seconds < 0 ? `n${-seconds}` : String(seconds);
  const content = contentOf(bytes);
  const name = `${epoch}.V1U${uid}D${digest ?? content.digest}.backup,S=${content.size}:2,`;
  await writeFile(join(folder, "cur", name), bytes, { mode: 0o600 });
  await utimes(join(folder, "cur", name), seconds, seconds);
}
