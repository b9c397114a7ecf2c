import type { ManyRenderer } from "./render/many.js";
import { formatCount } from "./render/text.js";
import { formatTime } from "./schedule.js";
import { type DueEntry, type Entry, firstDue } from "./schedule-agenda.js";
import type { WatchTeller } from "./watch-loop.js";

/** Says what a watch does, to a person or as events. */
export function watchTeller(view: Pick<ManyRenderer, "say" | "event">): WatchTeller {
  return {
    plan({ file, actions }, agenda) {
      const event = { type: "watch", file, actions: actions.length };
      view.say(`watching ${file}: ${formatCount(actions.length, "action")}`, event);
      for (const entry of agenda) view.say(`  ${nameOf(entry)}: ${whenOf(entry)}`, eventOf("schedule", entry));
    },
    next(agenda) {
      const first = firstDue(agenda);
      if (first) view.say(`next: ${nameOf(first)}, ${timeOf(first)}`, eventOf("next", first));
    },
    leftOut(entry) {
      const message = `${nameOf(entry)} was due at ${timeOf(entry)} and still runs; it is left out this time`;
      view.event({ type: "warning", code: "ACTION_LEFT_OUT", message });
    },
  };
}

function whenOf(entry: Entry): string {
  const { due, planned } = entry;
  if (due === undefined) return planned.schedule ? "never again" : "has run";
  return planned.schedule ? timeOf({ ...entry, due }) : "now, and not again";
}

function timeOf({ planned, due }: DueEntry): string {
  return formatTime(due, planned.schedule?.timeZone);
}

function nameOf({ planned }: Entry): string {
  return planned.action.name;
}

function eventOf(type: string, entry: Entry) {
  const at = entry.due === undefined ? null : new Date(entry.due).toISOString();
  return { type, action: nameOf(entry), at };
}
