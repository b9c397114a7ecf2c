import { nextRun } from "../schedule.js";
import type { Path } from "./node-offset.js";
import type { ScheduleFields } from "./plan-file.js";
import type { Problem } from "./problem.js";
import type { PlanSource } from "./source.js";

/** Schedules that are wrong or never come, and unknown time zones. What is no text, the schema has spoken of. */
export function scheduleProblems(source: PlanSource, fields: ScheduleFields, path: Path): readonly Problem[] {
  const check = (key: keyof ScheduleFields, find: (value: string) => string | undefined): readonly Problem[] => {
    const value: unknown = fields[key];
    const text = typeof value === "string" && value !== "" ? find(value) : undefined;
    return text === undefined ? [] : [{ position: source.position([...path, key], "value"), text }];
  };
  return [...check("schedule", wrongSchedule), ...check("time-zone", wrongTimeZone)];
}

function wrongSchedule(cron: string): string | undefined {
  const takes = "it takes minute hour day month weekday, as '17 3 * * *', or a word as @daily";
  const fields = cron.trim().split(/\s+/).length;
  // As crontab(5) has it, or with seconds. The library knows a field for years too, and single moments.
  const isWord = /^@[a-z]+$/i.test(cron);
  if (cron.includes(":") || !(isWord || fields === 5 || fields === 6))
    return `schedule is no cron expression; ${takes}`;
  try {
    return nextRun({ cron, jitterMs: 0 }, Date.now()) === undefined
      ? "schedule never comes: there is no such day"
      : undefined;
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    return `schedule is no cron expression; ${takes}`;
  }
}

function wrongTimeZone(name: string): string | undefined {
  try {
    Intl.DateTimeFormat("en", { timeZone: name });
    return undefined;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return `there is no time zone '${name}'; write it as Europe/Berlin or UTC`;
  }
}
