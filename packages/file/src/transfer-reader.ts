import type { EventSink } from "@backup/core";
import type { Itemized } from "./itemized.js";
import { LOOK_BATCH, type Look } from "./look.js";
import type { Entry } from "./manifest.js";
import type { RawPath } from "./raw-path.js";
import { secondsOf } from "./seconds.js";
import type { ManifestChanges } from "./tree-manifest.js";

export interface TransferReaderOptions {
  readonly changes: ManifestChanges;
  /** The end whose files are digested. */
  readonly look: Look;
  /** It is the source: a file is digested when it is sent, and otherwise when all have come. */
  readonly isSource: boolean;
  /** All is listed for a new manifest, what is there already too. */
  readonly isRebuilding: boolean;
  readonly total: { readonly items: number; readonly bytes: number };
  readonly onEvent: EventSink;
  readonly signal: AbortSignal;
}

/** What rsync(1) said of a file that it sent: bytes, and seconds since 1970. */
interface Sent {
  readonly size: number;
  readonly mtime: number;
}

interface Came {
  readonly path: RawPath;
  readonly isFile: boolean;
  readonly sent?: Sent | undefined;
  readonly sha256?: string | undefined;
}

/** Time between two events of progress, milliseconds. */
const EVENT_MS = 100;

/** Takes in what a transfer says it does, and finds out for the manifest what that left. */
export class TransferReader {
  readonly #options: TransferReaderOptions;
  /** Files that were sent and changed meanwhile. */
  #unsteady: RawPath[] = [];
  /** What came and is not noted yet; what came again counts as it came last. */
  readonly #arrived = new Map<RawPath, Came>();
  #added = 0;
  #removed = 0;
  #bytes = 0;
  #told = Number.NEGATIVE_INFINITY;

  constructor(options: TransferReaderOptions) {
    this.#options = options;
  }

  /** Of files whose bytes were transferred. */
  get bytes(): number {
    return this.#bytes;
  }

  /** New or changed, directories left out. */
  get added(): number {
    return this.#added;
  }

  /** Deleted, directories left out. */
  get removed(): number {
    return this.#removed;
  }

  /** Files that changed while they were sent, since this was last asked. */
  takeUnsteady(): readonly RawPath[] {
    const unsteady = this.#unsteady;
    this.#unsteady = [];
    return unsteady;
  }

  /** @param isAgain what it names was counted before */
  async take(
    { kind, action, path, size, mtime, sha256, isUnsteady = false }: Itemized,
    isAgain = false,
  ): Promise<void> {
    const { changes, isRebuilding } = this.#options;
    if (path === "" || path === ".") return;
    if (action === "delete") {
      if (kind !== "directory") this.#removed++;
      changes.drop(path);
      return;
    }
    const isFile = kind === "file";
    if (action === "attributes") {
      if (isRebuilding) await this.#took({ path, isFile });
      else changes.restate(path);
      return;
    }
    if (kind !== "directory" && !isAgain) this.#added++;
    // No file has such a size: what is there now is not what was sent.
    const sent = action === "transfer" ? { size: isUnsteady ? -1 : size, mtime } : undefined;
    await this.#took({ path, isFile, sent, sha256 });
    if (isUnsteady && !this.#options.isSource) this.#unsteady.push(path);
    this.#bytes += action === "transfer" && !isAgain ? size : 0;
    this.#tell();
  }

  /** Digests what came. */
  async finish(): Promise<void> {
    const arrived = [...this.#arrived.values()];
    for (let at = 0; at < arrived.length; at += LOOK_BATCH) await this.#note(arrived.slice(at, at + LOOK_BATCH));
    this.#tell(true);
  }

  async #took(came: Came): Promise<void> {
    if (this.#options.isSource) await this.#note([came]);
    // That it changed meanwhile, its size at the destination does not tell.
    else this.#arrived.set(came.path, { ...came, sent: undefined });
  }

  async #note(came: readonly Came[]): Promise<void> {
    const { look, changes, signal } = this.#options;
    const unseen = came.flatMap(({ path, isFile, sha256 }) => (isFile && sha256 === undefined ? [path] : []));
    const digests = await look.digests(unseen, signal);
    const entries = await look.entries(
      came.map(({ path }) => path),
      signal,
    );
    for (const { path, isFile, sent, sha256: seen } of came) {
      const entry = entries.get(path);
      if (!entry) continue;
      const sha256 = seen ?? digests.get(path);
      const isSteady = !isFile || (sha256 !== undefined && isAsSent(entry, sent));
      // What is another name of a file is not sent again: that could change the file under its other names too.
      if (!isSteady && sent) this.#unsteady.push(path);
      await changes.add({ ...entry, sha256: isSteady ? sha256 : undefined });
    }
  }

  #tell(isEnd = false): void {
    const now = performance.now();
    if (!isEnd && now - this.#told < EVENT_MS) return;
    this.#told = now;
    const { total, onEvent } = this.#options;
    const [items, bytes] = [this.#added, this.#bytes];
    const totals = { totalItems: Math.max(items, total.items), totalBytes: Math.max(bytes, total.bytes) };
    onEvent({ type: "progress", items, bytes, ...totals });
  }
}

function isAsSent({ size, mtime }: Entry, sent: Sent | undefined): boolean {
  return !sent || (size === sent.size && secondsOf(mtime) === sent.mtime);
}
