import type { Notifier } from "@backup/core";

export type Reporter = Notifier;

/** How runs are reported: names of notifiers, and the arguments of each. One that is not named is not used. */
export type ReportSettings = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
