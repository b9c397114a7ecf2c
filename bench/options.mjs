/** The benchmark's command line. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { OURS } from "./contenders.mjs";

const TOP = fileURLToPath(new URL("..", import.meta.url));

export const USAGE = `npm run bench -- [options]
  --rounds N      rounds, interleaved; medians are reported (3)
  --only A,B      of ours, mbsync, raw, offlineimap3 (all; with --big: ours)
  --full          offlineimap3 in every round too; it takes minutes and otherwise runs once
  --big           the other scenario: an account with one message of 200 MB
  --mixed         a third run of each, after 100 new messages, 100 changed flags and 100 moved messages
  --small         messages of 1 to 4 KB
  --messages N    messages in the account (20000, about 900 MB)
  --scale F       F times the messages, or the big message's size: 0.02 is a quick smoke test
  --rtt A,B       milliseconds of a round trip to the server, each in turn; 0 is without a proxy (0)
  --compress      the server offers COMPRESS=DEFLATE (off in a stock Dovecot)
  --ours CMD      our command line, with {user} {dest} {port} {secret} {ca} (BENCH_OURS)
  --remote        the other benchmark: to a host that is reached by ssh; see the options below
  --cache DIR     mailboxes, mirrors, logs and results (.bench)

npm run bench -- --remote [--rounds N] [--messages N] [--scale F] [--compress] [--cache DIR] [options]
  --only A,B      letters: a IMAP to local disk, b rsync of that mirror, c IMAP to the host by rsync, d by SFTP,
                  e rclone copy beside d, f unchanged re-runs, g re-runs after 10,000 flag changes (all)
  --rtt A,B       milliseconds of a round trip to both servers, each in turn; 0 is without a proxy (0,40)
  --rclone-messages N  e copies folders of about so many messages, and d those too, beside it (2000): rclone takes
                  50 ms and more for a file, so half an hour for all

npm run bench -- --verify [--rounds N] [--messages N] [--scale F] [--cache DIR]
                  reads a backup back: backup verify here and by ssh, beside sha256sum
npm run bench -- --restore [--rounds N] [--messages N] [--scale F] [--rtt A,B] [--cache DIR]
  backup restore imap into an empty account, beside a loop of imapflow's append, which runs once: one message at a time
  --messages N    messages in the backup (1000)
  --rtt A,B       milliseconds of a round trip to the server, each in turn (40)
npm run bench -- --history [--rounds N] [--messages N] [--rtt A,B] [--cache DIR]
                  snapshots of an account in which nothing changed (100000 small messages), here beside cp -al, and on
                  a host at these distances (40)
npm run bench -- --trees [--scale F] [--small] [--only A,B] [--rtt A,B] [--cache DIR]
  a tree of 100,000 files (5 GB) to a host by ssh: initial, unchanged, its top directory renamed, some files moved and edited
  --small         files of 500 bytes: --scale 10 --small is a million of them
  --only A,B      of backup, rsync, "rsync --fuzzy", rclone, restic (all); rclone takes some 50 ms for a file
  --rtt A,B       milliseconds of a round trip to the host, each in turn (0)
npm run bench -- --fleet [--only A,B] [--rounds N] [--accounts N] [--mailboxes N] [--rtt A] [--cache DIR]
  --only A,B      enqueue: accounts (100000) from a list, jobs: up to 2000 that do nothing, refused: accounts of which 3 %
                  have wrong passwords, which takes about 10 minutes for 100000, workers: small mailboxes (60) by one
                  worker and by three (all)
  --rtt A         milliseconds of a round trip to the mail server (100)
`;

/** What is not given, by the benchmark that is asked for. */
const defaultsOf = ({ history, restore, remote, fleet }) => {
  if (fleet) return { messages: "20", rtt: "100" };
  if (history) return { messages: "100000", rtt: "40" };
  if (restore) return { messages: "1000", rtt: "40" };
  return { messages: "20000", rtt: remote ? "0,40" : "0" };
};

/**
 * @typedef {ReturnType<typeof readOptions>} Options
 * @param {string[]} argv
 */
export const readOptions = (argv) => {
  const { values } = parseArgs({
    args: argv,
    options: {
      rounds: { type: "string", default: "3" },
      only: { type: "string" },
      full: { type: "boolean", default: false },
      big: { type: "boolean", default: false },
      mixed: { type: "boolean", default: false },
      small: { type: "boolean", default: false },
      messages: { type: "string" },
      scale: { type: "string", default: "1" },
      compress: { type: "boolean", default: false },
      ours: { type: "string", default: process.env.BENCH_OURS || OURS },
      cache: { type: "string", default: join(TOP, ".bench") },
      remote: { type: "boolean", default: false },
      verify: { type: "boolean", default: false },
      restore: { type: "boolean", default: false },
      history: { type: "boolean", default: false },
      fleet: { type: "boolean", default: false },
      trees: { type: "boolean", default: false },
      accounts: { type: "string", default: "100000" },
      mailboxes: { type: "string", default: "60" },
      rtt: { type: "string" },
      "rclone-messages": { type: "string", default: "2000" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const scale = positive("--scale", values.scale);
  if (
    values.remote &&
    (values.big || values.full || values.mixed || values.small || values.ours !== (process.env.BENCH_OURS || OURS))
  ) {
    throw new Error("--remote takes no --big, --full, --mixed, --small or --ours");
  }
  if (values.verify && (values.remote || values.big || values.full || values.only || values.rtt)) {
    throw new Error("--verify takes --rounds, --messages, --scale and --cache alone");
  }
  const defaults = defaultsOf(values);
  const only = values.only ?? (values.big ? "ours" : undefined);
  return {
    top: TOP,
    rounds: Math.ceil(positive("--rounds", values.rounds)),
    only: only?.split(","),
    full: values.full,
    big: values.big,
    mixed: values.mixed,
    small: values.small,
    messages: Math.ceil(positive("--messages", values.messages ?? defaults.messages) * scale),
    bigBytes: Math.ceil(200e6 * scale),
    compress: values.compress,
    ours: values.ours,
    cache: values.cache,
    remote: values.remote,
    verify: values.verify,
    restore: values.restore,
    history: values.history,
    fleet: values.fleet,
    trees: values.trees,
    scale,
    accounts: Math.ceil(positive("--accounts", values.accounts)),
    mailboxes: Math.ceil(positive("--mailboxes", values.mailboxes)),
    rtts: (values.rtt ?? defaults.rtt).split(",").map((text) => (text === "0" ? 0 : positive("--rtt", text))),
    rcloneMessages: Math.ceil(positive("--rclone-messages", values["rclone-messages"])),
    help: values.help,
  };
};

/**
 * @param {string} option
 * @param {string} text
 */
const positive = (option, text) => {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new Error(`${option} ${text}: give a number above 0`);
  return value;
};
