import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { RemoteShell } from "../../src/connection.js";

/** A remote shell of a few lines, to which rsync gives the name of the host and a command: `$*` is the command. */
export async function scriptShell(file: string, body: string): Promise<RemoteShell> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `#!/bin/sh\nshift\n${body}\n`);
  await chmod(file, 0o755);
  return { program: file, args: [], target: "host", env: {} };
}

/** Runs any command, in `home`. */
export async function plainShell(home: string): Promise<RemoteShell> {
  await mkdir(home, { recursive: true });
  return scriptShell(join(`${home}.bin`, "lsh"), `cd '${home}' || exit 1\nexec sh -c "$*"`);
}

/** An account that authorized_keys restricts to rsync below `home`. */
export async function restrictedShell(home: string, options = ""): Promise<RemoteShell> {
  await mkdir(home, { recursive: true });
  const body = `SSH_ORIGINAL_COMMAND="$*" exec rrsync ${options} '${home}'`;
  return scriptShell(join(`${home}.bin`, `lrr${options.replaceAll(" ", "")}`), body);
}
