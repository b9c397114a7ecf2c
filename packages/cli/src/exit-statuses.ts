import { EXIT } from "./exit-code.js";

export interface ExitStatus {
  readonly status: number;
  /** For the end of `--help`. */
  readonly short: string;
  /** For the manual page. */
  readonly text: string;
}

/** What is said of every exit status. */
export const EXIT_STATUSES: readonly ExitStatus[] = [
  { status: EXIT.done, short: "done", text: "All done." },
  {
    status: EXIT.failed,
    short: "failed",
    text: "Failed: the message says why. What was copied is kept. Of many actions, at least one failed (KO). Of search and export: no message is as the terms say.",
  },
  {
    status: EXIT.usage,
    short: "wrong usage",
    text: "Wrong usage: arguments, a plan, a secret or a script that is missing. Nothing was done.",
  },
  {
    status: EXIT.partial,
    short: "partly done",
    text: "Partly done: something is missing from the backup and was named. Nothing was deleted, unless files of ours turned out to be missing after that; the next run tries again. Of ls: something is missing or has changed since the last run. Of verify: something is damaged, missing, or not as on the server. Of drill: a message did not come back as it was stored, or the folder of the drill is still there. Of restore: something was left out and was named. Of show, search and export: a message is damaged or could not be read.",
  },
  {
    status: EXIT.unreported,
    short: "done but not reported",
    text: "The backup is done, but a report could not be sent or a program that runs after it failed.",
  },
  {
    status: EXIT.interrupted,
    short: "interrupted",
    text: "Interrupted by SIGINT, SIGTERM or SIGHUP. What was copied is kept, and the next run goes on from there.",
  },
];
