import { spawn } from "node:child_process";
import { once } from "node:events";
import { ROOT } from "../support/run.mjs";

/** What `npx backup` runs, below the project's directory. */
const MAIN = "packages/cli/bin/backup.js";

/**
 * Shows the command line of a backup as a user would type it, and runs it; it writes where we write.
 * @param {readonly string[]} args
 * @param {AbortSignal} signal  ends it
 * @throws Error when it fails
 */
export async function runBackup(args, signal) {
  signal.throwIfAborted();
  console.log(`$ ${commandLine(args)}`);
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] });
  const kill = () => child.kill();
  signal.addEventListener("abort", kill);
  try {
    const [code, name] = await once(child, "close");
    signal.throwIfAborted();
    if (code !== 0) throw new Error(`the backup ended with ${code ?? name}`);
  } finally {
    signal.removeEventListener("abort", kill);
  }
}

/**
 * A backup's command line for a shell, its options on a second line.
 * @param {readonly string[]} args
 * @returns {string}
 */
export function commandLine(args) {
  const words = ["npx", "backup", ...args].map((word) =>
    /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`,
  );
  const option = words.findIndex((word) => word.startsWith("--"));
  return option < 0 ? words.join(" ") : `${words.slice(0, option).join(" ")} \\\n    ${words.slice(option).join(" ")}`;
}
