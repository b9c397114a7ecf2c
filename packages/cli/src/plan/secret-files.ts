import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BackupError, systemCode, throwIfAborted } from "@backup/core";
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

/** So long a command may take, milliseconds. Nobody is there to answer what it asks. */
const COMMAND_MS = 60_000;
/** Largest secret, bytes. */
const LIMIT = 64 * 1024;

/**
 * Puts secrets of variables and of commands into files, 0600, of a private directory: files are what an action takes.
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
      await writeFile(file, value, { mode: 0o600, flag: "wx" });
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
    // Loaded when used: it costs start-up time.
    const { makeOwnedDirectory } = await import("@backup/transport-rsync");
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
    "env" in secret ? fromVariable(option, secret.env, context) : await fromCommand(option, secret, context);
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

async function fromCommand(
  option: string,
  { command }: Extract<SecretInMemory, { readonly command: unknown }>,
  { env, signal }: SecretContext,
): Promise<Buffer> {
  const [program, ...args] = toCommand(command);
  const failed = (what: string, cause?: unknown): BackupError =>
    new BackupError("SECRET_UNREADABLE", `${option}: the command ${program} ${what}; run it by hand to see why`, {
      cause,
    });
  const output = await new Promise<Buffer>((fulfil, reject) => {
    const options = {
      env,
      signal,
      timeout: COMMAND_MS,
      maxBuffer: LIMIT,
      encoding: "buffer",
      killSignal: "SIGKILL",
    } as const;
    const child = execFile(program, args, options, (error, stdout) => {
      if (!error) return fulfil(stdout);
      // An error of it holds what it printed, and so does not become a cause.
      const { killed, code } = error;
      if (systemCode(error) === "ENOENT") return reject(missing(option, program));
      if (code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") return reject(failed("prints too much to be a secret"));
      if (killed) return reject(failed(`did not end within ${COMMAND_MS / 1000} s`));
      return reject(
        failed(typeof code === "number" ? `ended with status ${code}` : `failed (${code ?? error.signal})`),
      );
    });
    // It has nothing to read, and must not wait for it.
    child.stdin?.end();
  }).catch((error: unknown) => {
    throwIfAborted(signal);
    throw error;
  });
  if (output.toString("latin1").trim() === "") throw failed("prints nothing");
  return output;
}

function missing(option: string, program: string): BackupError {
  return new BackupError(
    "SECRET_UNREADABLE",
    `${option}: the program ${program} of its command does not exist; check the name, and PATH`,
  );
}
