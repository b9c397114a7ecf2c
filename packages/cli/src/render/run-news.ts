import type { BackupEvent, EventSink, Report } from "@backup/core";

/**
 * What is new in runs that follow one another all day: all of the first one; of the others what is wrong, unless the run
 * before said so too, and the end of those that did something.
 */
export class RunNews {
  #saidBefore: ReadonlySet<string> = new Set();
  #said = new Set<string>();
  #runs = 0;
  #isNews = false;

  /** The events of the run that begins. */
  begin(sink: EventSink): EventSink {
    this.#saidBefore = this.#said;
    this.#said = new Set();
    this.#runs++;
    this.#isNews = this.#runs === 1;
    return (event) => {
      if (this.#isNew(event)) sink(event);
    };
  }

  #isNew(event: BackupEvent): boolean {
    if (event.type === "debug") return true;
    if (event.type === "end") return this.#isNews || changedSomething(event.report);
    if (event.type !== "warning" && event.type !== "failed") return this.#runs === 1;
    const mark = JSON.stringify(event);
    const isNew = !this.#saidBefore.has(mark);
    this.#said.add(mark);
    this.#isNews ||= isNew;
    return isNew;
  }
}

/** Whether a run found anything to do. */
export function changedSomething({ added, moved, renamed, removed }: Report): boolean {
  return added + moved + renamed + removed > 0;
}
