import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { BackupError, childEnvironment } from "@backup/core";
import { remoteShellOption } from "./rsync-arguments.js";

/** Longer than any command of rsync(1) for another host. */
const LONGEST = 64 * 1024;

/** A directory of a host that only this machine can name, as rsync(1) is told. */
export const NAMELESS = "there:./";

/** For a shell: prints the words that it was given, how many and each with a NUL after it. */
export const printWords = (descriptor: number): string =>
  `printf "%s\\n" $# >&${descriptor}; printf "%s\\0" "$@" >&${descriptor}`;

/**
 * Reads words that a shell printed so, and leaves what follows them in the stream. Undefined: it ended before that.
 * @throws BackupError PROTOCOL where it is something else
 */
export async function readWords(stream: Readable): Promise<readonly string[] | undefined> {
  let text = "";
  for (;;) {
    const piece = stream.read() as Buffer | null;
    if (piece !== null) {
      text += piece.toString("latin1");
      const found = wordsIn(text);
      if (found) {
        if (found.end < text.length) stream.unshift(Buffer.from(text.slice(found.end), "latin1"));
        return found.words.map((word) => Buffer.from(word, "latin1").toString());
      }
      if (text.length > LONGEST) throw noCommand();
    } else if (stream.readableEnded || stream.destroyed) return undefined;
    else await Promise.race([once(stream, "readable"), once(stream, "end"), once(stream, "close")]);
  }
}

function wordsIn(text: string): { readonly words: readonly string[]; readonly end: number } | undefined {
  const line = text.indexOf("\n");
  if (line < 0) return undefined;
  const count = /^\d{1,3}$/.test(text.slice(0, line)) ? Number(text.slice(0, line)) : 0;
  if (count === 0) throw noCommand();
  const words: string[] = [];
  let at = line + 1;
  while (words.length < count) {
    const end = text.indexOf("\0", at);
    if (end < 0) return undefined;
    words.push(text.slice(at, end));
    at = end + 1;
  }
  return { words, end: at };
}

function noCommand(): BackupError {
  const message =
    "a host printed something else than rsync's command: make its .bashrc or .profile silent for commands";
  return new BackupError("PROTOCOL", message);
}

/**
 * The command that rsync(1) of this machine would run at a host to have NAMELESS sent, in words. Connects to nothing.
 * @param options of that run
 * @throws BackupError PROTOCOL where it does not take these options
 */
export async function sendingCommand(options: readonly string[], env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const shell = remoteShellOption({ program: "sh", args: ["-c", printWords(2), "sh"] });
  const child = spawn("rsync", [`--rsh=${shell}`, ...options, "--", NAMELESS, "./"], {
    env: { ...childEnvironment(env), RSYNC_PROTECT_ARGS: "0" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(child, "close");
  const words = await readWords(child.stderr);
  child.stderr.resume();
  await ended;
  if (words) return words.slice(1);
  throw new BackupError("PROTOCOL", "rsync of this machine does not take these options; see docs/file.md");
}

/**
 * Whether what a host asks to be run at another one is what was meant: the same command, of no words that are not in it, each
 * as often at the most. What the two rsync(1) can do, which the end of their short options says, may differ, and so may the
 * order of options.
 */
export function isMeant(asked: readonly string[], meant: readonly string[]): boolean {
  const plain = (words: readonly string[]): string[] =>
    words.map((word) => word.replace(/^(-[A-Za-z]*)e\d*\.\d*[A-Za-z]*$/, "$1e"));
  const left = plain(meant);
  const frame = (words: readonly string[]): string => [...words.slice(0, 3), ...words.slice(-2)].join("\0");
  if (asked.length < 5 || frame(asked) !== frame(meant)) return false;
  return plain(asked).every((word) => {
    const at = left.indexOf(word);
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}
