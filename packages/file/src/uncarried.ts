import type { TreeEntry, TreeFacts } from "@backup/core";

/** Counts what of a tree is not carried by a walk over it, as far as that shows. */
export class Uncarried {
  readonly #to: TreeFacts;
  readonly #top: TreeEntry;
  #owned = 0;
  #named = 0;
  #sparse = 0;
  #others = 0;
  #early = 0;
  #links = 0;

  /** @param top of the source: what belongs to others than it loses that */
  constructor(to: TreeFacts, top: TreeEntry) {
    this.#to = to;
    this.#top = top;
  }

  count({ type, owner, group, names = 1, isSparse = false, mtime }: TreeEntry): void {
    if (owner !== this.#top.owner || group !== this.#top.group) this.#owned++;
    if (type === "file" && names > 1) this.#named++;
    if (isSparse) this.#sparse++;
    if (type === "other") this.#others++;
    if (this.#to.wholeSeconds && mtime < 0n) this.#early++;
    if (type === "link" && !this.#to.linkTimes) this.#links++;
  }

  /** For a person; undefined: nothing of the kind was seen. */
  message(): string | undefined {
    const seen = [
      some(
        this.#owned,
        (count, isOne) =>
          `the owner and group of ${count} ${isOne ? "entry that belongs" : "entries that belong"} to others than the top does`,
      ),
      some(
        this.#named,
        (count, isOne) =>
          `${count} ${isOne ? "name of a file that has" : "names of files that have"} several (hard links), each of which becomes a file of its own`,
      ),
      some(this.#sparse, (count, isOne) => `the holes of ${count} ${isOne ? "file" : "files"}, which take room`),
      some(
        this.#others,
        (count, isOne) => `${count} ${isOne ? "device, socket or pipe" : "devices, sockets and pipes"}`,
      ),
      some(this.#early, (count, isOne) => `${count} ${isOne ? "time" : "times"} before 1970`),
      some(
        this.#links,
        (count, isOne) => `the ${isOne ? "time" : "times"} of ${count} symbolic ${isOne ? "link" : "links"}`,
      ),
    ].flatMap((text) => text ?? []);
    return seen.length === 0 ? undefined : `without rsync this is not carried: ${seen.join("; ")}`;
  }
}

function some(count: number, say: (count: string, isOne: boolean) => string): string | undefined {
  return count === 0 ? undefined : say(count.toLocaleString("en"), count === 1);
}
