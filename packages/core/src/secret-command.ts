import { execFile } from "node:child_process";
import { BackupError, systemCode, throwIfAborted } from "./errors.js";

export interface SecretCommand {
  /** Run without a shell. */
  readonly command: readonly [string, ...string[]];
  /** What asks for it, for messages: an option or a file. */
  readonly what: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** So long a command may take, milliseconds. Nobody is there to answer what it asks. */
const COMMAND_MS = 60_000;
/** Largest secret, bytes. */
const LIMIT = 64 * 1024;

/**
 * What a program prints, as it prints it; never nothing.
 * @throws BackupError SECRET_UNREADABLE, ABORTED
 */
export async function secretFromCommand({ command, what, env, signal }: SecretCommand): Promise<Buffer> {
  const [program, ...args] = command;
  const failed = (how: string): BackupError =>
    new BackupError("SECRET_UNREADABLE", `${what}: the command ${program} ${how}; run it by hand to see why`);
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
      if (systemCode(error) === "ENOENT") return reject(missing(what, program));
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

function missing(what: string, program: string): BackupError {
  return new BackupError(
    "SECRET_UNREADABLE",
    `${what}: the program ${program} of its command does not exist; check the name, and PATH`,
  );
}
