import type { RsyncCopied } from "@backup/transport-rsync";
import type { Copied, Complaint } from "./copier.js";
import { type Itemized, parseItemized } from "./itemized.js";
import { addTotals, noTotals } from "./totals.js";

/** Takes in what one run of rsync(1) says. */
export class RsyncReader {
  readonly #onItem: (item: Itemized) => void | Promise<void>;
  readonly #totals = noTotals();

  constructor(onItem: (item: Itemized) => void | Promise<void>) {
    this.#onItem = onItem;
  }

  readonly line = (line: string): void | Promise<void> => {
    const item = parseItemized(line);
    if (item) return this.#onItem(item);
    addTotals(this.#totals, line);
  };

  copied({ end, complaints }: RsyncCopied): Copied {
    return { end: end === "vanished" ? "done" : end, complaints: complaints.map(complaintOf), totals: this.#totals };
  }
}

function complaintOf(line: string): Complaint {
  if (/^(?:file|directory) has vanished: /.test(line)) return { kind: "vanished", text: line.replace(" has", "") };
  const isInTheWay = /could not make way for|cannot delete non-empty directory/.test(line);
  return { kind: isInTheWay ? "in the way" : "missing", text: line };
}
