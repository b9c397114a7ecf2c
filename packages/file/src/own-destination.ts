import { BackupError, LEASE_FILE, type RawPath, isBackupError } from "@backup/core";
import { shown } from "./raw-path.js";
import type { TreeEnd } from "./tree-end.js";

/**
 * A destination in its own source, or around it, is found by the lease that the run holds there, whatever the two are
 * called. For ends of which no more is seen than files.
 */
export class OwnDestination {
  readonly #source: TreeEnd;
  readonly #token: string;

  /** @param token of the lease, see Lease */
  constructor(source: TreeEnd, token: string) {
    this.#source = source;
    this.#token = token;
  }

  /** @throws BackupError USAGE */
  async checkAround(signal: AbortSignal): Promise<void> {
    const leases = (await this.#source.above?.(LEASE_FILE, signal)) ?? [];
    const around = leases.find(({ text }) => text.includes(this.#token));
    if (!around) return;
    const message = `SOURCE is in DEST (${around.directory}), or is the same directory; name a directory beside it`;
    throw new BackupError("USAGE", message);
  }

  /** @param directory of the source, that is a backup @throws BackupError USAGE */
  async checkInside(directory: RawPath, signal: AbortSignal): Promise<void> {
    const lease = directory === "" ? LEASE_FILE : `${directory}/${LEASE_FILE}`;
    if (!(await this.#startOf(lease, signal)).includes(this.#token)) return;
    const message = `DEST is inside of SOURCE (it is ${shown(directory)} there); name a directory beside it`;
    throw new BackupError("USAGE", message);
  }

  async #startOf(path: RawPath, signal: AbortSignal): Promise<string> {
    try {
      // A pipe would be waited for.
      if ((await this.#source.tree().entry(path, signal))?.type !== "file") return "";
      for await (const piece of this.#source.tree().read(path, signal)) return Buffer.from(piece).toString();
      return "";
    } catch (error) {
      if (isBackupError(error, "NOT_FOUND") || isBackupError(error, "ITEM_UNREADABLE")) return "";
      throw error;
    }
  }
}
