/** What a round of the remote benchmark does, in order: one destination after the other, and what each rests on. */
import { ours, rclone, rsync } from "./remote-commands.mjs";

/** The letters of `--only`. */
export const LETTERS = {
  a: "IMAP → local disk",
  b: "rsync -a of the finished mirror",
  c: "IMAP → remote host by rsync",
  d: "IMAP → remote host by SFTP",
  e: "rclone copy of the finished mirror, beside ours by SFTP",
  f: "unchanged re-runs",
  g: "re-runs after flag changes",
};

/**
 * @typedef {object} Step
 * @property {string} id
 * @property {keyof typeof LETTERS} letter
 * @property {string} label
 * @property {readonly string[]} needs ids of steps that must have succeeded before, in the same round
 * @property {boolean} [far]     the way is twice as long
 * @property {boolean} [changed] flags have been changed on the server since the step it needs first
 * @property {string} dest       which of the directories it fills
 * @property {"account" | "subset"} holds what is there afterwards
 * @property {(place: import("./remote-commands.mjs").Place, dir: (name: string) => string) => string[]} command
 */

/**
 * @param {{ part?: { names: string[] }, way: boolean }} options part: what rclone copies, when it is not everything;
 * way: servers are reached through a longer way, which can be doubled
 * @returns {Step[]}
 */
export const steps = ({ part, way }) => [
  { ...mirror(undefined), letter: "a", label: "**a** backup: IMAP → local disk" },
  {
    id: "plain",
    letter: "b",
    label: "**b** rsync -a: local Maildir → host",
    needs: ["local"],
    dest: "plain",
    holds: "account",
    command: (place, dir) => rsync(place, { from: dir("local"), dest: dir("plain"), options: ["-a"] }),
  },
  { ...mirror("rsync"), letter: "c", label: "**c** backup: IMAP → host, rsync" },
  ...again("rsync", way),
  { ...mirror("sftp"), letter: "d", label: "**d** backup: IMAP → host, SFTP" },
  ...again("sftp", way),
  ...(part === undefined ? [] : [{ ...mirror("sftp", part.names), letter: "e", label: "**d′** as d, the subset" }]),
  {
    id: "rclone",
    letter: "e",
    label:
      part === undefined ? "**e** rclone copy: local Maildir → host" : "**e** rclone copy: the subset's Maildir → host",
    needs: part === undefined ? ["local"] : [],
    dest: "rclone",
    holds: part === undefined ? "account" : "subset",
    command: (place, dir) => rclone(place, { from: dir(part === undefined ? "local" : "subset"), dest: dir("rclone") }),
  },
  { ...flags("rsync"), label: "**g** backup: flags changed, rsync" },
  { ...flags("sftp"), label: "**g** backup: flags changed, SFTP" },
  { ...flags("local"), label: "flags changed, local disk" },
  {
    ...flags("plain"),
    label: "rsync -a --delete after that",
    needs: ["plain", "local-flags"],
    command: (place, dir) => rsync(place, { from: dir("local"), dest: dir("plain"), options: ["-a", "--delete"] }),
  },
];

/**
 * The steps of these letters, with the copies that they rest on. Of f and g those that run a chosen copy again; where no
 * copy was chosen, all of them.
 *
 * @param {readonly Step[]} all
 * @param {readonly string[]} letters
 */
export const chosen = (all, letters) => {
  const copies = letters.filter((letter) => !isAgain(letter));
  const implied = copies.length > 0 ? [] : letters.includes("g") ? ["a", "b", "c", "d"] : ["c", "d"];
  const first = all.filter(({ letter }) => [...copies, ...implied].includes(letter));
  const taken = new Set(first.flatMap(({ id, needs }) => [id, ...needs]));
  // In order: what a step needs stands before it.
  for (const { id, letter, needs } of all) {
    if (isAgain(letter) && letters.includes(letter) && needs.every((need) => taken.has(need))) taken.add(id);
  }
  return all.filter(({ id }) => taken.has(id));
};

/** @param {string} letter */
const isAgain = (letter) => "fg".includes(letter);

/**
 * @param {"rsync" | "sftp" | undefined} transport
 * @param {string[]} [folders]
 */
const mirror = (transport, folders) => {
  const id = `${transport ?? "local"}${folders === undefined ? "" : "-part"}`;
  return {
    id,
    needs: [],
    dest: id,
    holds: folders === undefined ? "account" : "subset",
    command: (place, dir) => ours(place, { dest: dir(id), transport, folders }),
  };
};

/**
 * @param {"rsync" | "sftp"} transport
 * @param {boolean} way
 */
const again = (transport, way) => {
  const name = transport === "sftp" ? "SFTP" : transport;
  const step = { ...mirror(transport), letter: "f", needs: [transport] };
  return [
    { ...step, id: `${transport}-again`, label: `**f** backup: unchanged, ${name}` },
    ...(way ? [{ ...step, id: `${transport}-far`, label: `as f, ${name}, twice as far`, far: true }] : []),
  ];
};

/** @param {"rsync" | "sftp" | "local" | "plain"} dest */
const flags = (dest) => {
  const transport = dest === "local" ? undefined : dest;
  return { ...mirror(transport), id: `${dest}-flags`, letter: "g", needs: [dest], dest, changed: true };
};
