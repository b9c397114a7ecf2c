import { access, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { BackupError, OWNED_NAME_BYTES, makeOwnedDirectory, systemCode } from "@backup/core";
import { controlPath } from "./openssh-options.js";
import { type Environment, spawnSsh } from "./openssh-process.js";

/** A directory of one connection, 0700: its control socket, and what ssh(1) needs as files. */
export interface PrivateDirectory extends AsyncDisposable {
  readonly path: string;
}

/** Unix sockets' paths end at 104 or 108 bytes, and ssh adds 17 characters while it makes one. */
const LONGEST = 80;

const PREFIX = "backup-ssh-";

/** The control socket's name in it. */
export const CONTROL = "c";

/** How long a connection that was left behind may take to end, milliseconds. */
const EXIT_MS = 2000;

/** @param program ssh(1), to end the connections of killed processes whose directories are still there */
export async function privateDirectory(program: string, env: Environment): Promise<PrivateDirectory> {
  const wanted = env.TMPDIR || tmpdir();
  const longest = Buffer.byteLength(join(wanted, PREFIX, CONTROL)) + OWNED_NAME_BYTES;
  const parent = longest > LONGEST ? "/tmp" : wanted;
  const onLeftBehind = async (directory: string): Promise<void> => {
    const control = join(directory, CONTROL);
    if (
      !(await access(control).then(
        () => true,
        () => false,
      ))
    )
      return;
    // Any name will do for the host: the socket says which.
    const child = spawnSsh(program, ["-S", controlPath(control), "-O", "exit", "--", "any"], env);
    await Promise.race([child.ended, sleep(EXIT_MS, undefined, { ref: false })]);
    await child.kill();
  };
  const path = await makeOwnedDirectory({ parent, prefix: PREFIX, onLeftBehind }).catch((error: unknown) => {
    throw temporaryError(error, parent);
  });
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}

function temporaryError(error: unknown, parent: string): unknown {
  const code = systemCode(error);
  if (code === undefined) return error;
  const message = `the directory for temporary files, ${parent}, cannot be used (${code}); name another by TMPDIR, or give a container one: --tmpfs /tmp`;
  return new BackupError("SPOOL_UNWRITABLE", message, { cause: error });
}

/**
 * Lets ssh(1) take the passphrase from a file, by a program of this package: one that is written to the directory could
 * not be run where temporary files must not be.
 * @returns what to add to the environment: file names alone
 */
export function askpassEnvironment(file: string, env: Environment): Record<string, string> {
  return {
    SSH_ASKPASS: fileURLToPath(new URL("../bin/askpass", import.meta.url)),
    SSH_ASKPASS_REQUIRE: "force",
    DISPLAY: env.DISPLAY ?? ":0",
    BACKUP_PASSPHRASE_FILE: file,
  };
}
