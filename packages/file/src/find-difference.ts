import type { Itemized } from "./itemized.js";
import type { TreeFile } from "./moves.js";
import type { RawPath } from "./raw-path.js";
import type { Totals } from "./totals.js";

/** How two trees differ. */
export interface Difference {
  /** Regular files whose bytes are to be transferred. */
  readonly wanted: readonly TreeFile[];
  /** Those of them that are there already, with other bytes or times. */
  readonly changed: ReadonlySet<RawPath>;
  readonly newDirectories: ReadonlySet<RawPath>;
  /** What is made and has no bytes of its own: links, names of files that have another one. Some other thing may be there. */
  readonly made: ReadonlySet<RawPath>;
  /** What has other attributes, and nothing else; undefined: it was too much to be kept. */
  readonly restated: readonly RawPath[] | undefined;
  /** What is at the destination only: no directories. */
  readonly gone: ReadonlySet<RawPath>;
  readonly goneDirectories: ReadonlySet<RawPath>;
  /** Files, links and the like that are new or differ, in bytes or otherwise than by attributes. */
  readonly add: number;
  /** Nothing at all is to be done. */
  readonly isNone: boolean;
  readonly totals: Totals;
}

/** Entries of other attributes that are kept: so many are looked at one by one. */
const MOST_RESTATED = 10_000;

/** Takes in what a comparison tells. */
export class DifferenceReader {
  readonly #isKept: boolean;
  readonly #wanted: TreeFile[] = [];
  readonly #changed = new Set<RawPath>();
  readonly #newDirectories = new Set<RawPath>();
  readonly #made = new Set<RawPath>();
  readonly #restated: RawPath[] = [];
  readonly #gone = new Set<RawPath>();
  readonly #goneDirectories = new Set<RawPath>();
  #add = 0;
  #items = 0;

  /** @param isKept whether anything but the counts is of interest */
  constructor(isKept: boolean) {
    this.#isKept = isKept;
  }

  readonly take = ({ kind, action, isNew, path, size, mtime }: Itemized): void => {
    this.#items++;
    if (action === "delete") (kind === "directory" ? this.#goneDirectories : this.#gone).add(path);
    else if (kind !== "directory" && action !== "attributes") this.#add++;
    if (!this.#isKept) return;
    // One too many says that there were more.
    if (action === "attributes" && this.#restated.length <= MOST_RESTATED) this.#restated.push(path);
    if (action === "make" && kind !== "directory") this.#made.add(path);
    else if (action === "make" && isNew) this.#newDirectories.add(path);
    if (kind !== "file" || action !== "transfer") return;
    this.#wanted.push({ path, size, mtime });
    if (!isNew) this.#changed.add(path);
  };

  /** @param isWhole whether all could be read; otherwise there may be more, and it is told by the run that transfers */
  result(totals: Totals, isWhole: boolean): Difference {
    return {
      wanted: this.#wanted,
      changed: this.#changed,
      newDirectories: this.#newDirectories,
      made: this.#made,
      restated: isWhole && this.#restated.length <= MOST_RESTATED ? this.#restated : undefined,
      gone: this.#gone,
      goneDirectories: this.#goneDirectories,
      add: this.#add,
      isNone: this.#items === 0 && isWhole,
      totals,
    };
  }
}
