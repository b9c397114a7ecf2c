import { rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BackupError, makeOwnedDirectory, secretFromCommand, systemCode } from "@backup/core";
import type { SecretInMemory } from "./action-arguments.js";
import { toCommand } from "./to-hooks.js";

export interface SecretContext {
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** Files of secrets, by the names of their options; they are gone once it is disposed of. */
export interface SecretFiles extends AsyncDisposable {
  readonly files: Readonly<Record<string, string>>;
}

/**
 * Puts secrets of variables and of commands into files, 0400, of a private directory: files are what an action takes.
 * They are read-only, since what is saved in them is lost.
 * The directory is removed when it is disposed of, when the process ends, or by the next run after a kill.
 * @throws BackupError SECRET_MISSING, SECRET_UNREADABLE, ABORTED
 */
export async function openSecretFiles(
  secrets: Readonly<Record<string, SecretInMemory>>,
  context: SecretContext,
): Promise<SecretFiles> {
  // All of them before anything is written.
  const values: (readonly [string, Buffer])[] = [];
  for (const [option, secret] of Object.entries(secrets)) values.push([option, await resolve(option, secret, context)]);
  const directory = await makeDirectory();
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  // A second signal ends the process at once.
  process.once("exit", remove);
  const dispose = async (): Promise<void> => {
    process.off("exit", remove);
    remove();
  };
  try {
    const files: Record<string, string> = {};
    for (const [option, value] of values) {
      const file = join(directory, option);
      await writeFile(file, value, { mode: 0o400, flag: "wx" });
      files[option] = file;
    }
    return { files, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function makeDirectory(): Promise<string> {
  const parent = tmpdir();
  try {
    return await makeOwnedDirectory({ parent, prefix: "backup-secret-" });
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    throw new BackupError(
      "SECRET_UNREADABLE",
      `a secret of a variable or a command is kept in a file while an action runs, and ${parent} cannot be written ` +
        `(${code}); name another directory with TMPDIR, or give the secret as a file`,
      { cause: error },
    );
  }
}

async function resolve(option: string, secret: SecretInMemory, context: SecretContext): Promise<Buffer> {
  const value =
    "env" in secret
      ? fromVariable(option, secret.env, context)
      : await secretFromCommand({ command: toCommand(secret.command), what: option, ...context });
  // A key has to end with its line's end, and that of a password is not part of it.
  return value.toString("latin1").endsWith("\n") ? value : Buffer.concat([value, Buffer.from("\n")]);
}

function fromVariable(option: string, name: string, { env }: SecretContext): Buffer {
  const value = env[name];
  if (value === undefined || value === "")
    throw new BackupError(
      "SECRET_MISSING",
      `${option}: the variable ${name} is ${value === "" ? "empty" : "not set"}; set it where backup is started`,
    );
  return Buffer.from(value);
}
