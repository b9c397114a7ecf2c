import { spawn } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { childEnvironment } from "@backup/core";

export type Environment = Readonly<Record<string, string | undefined>>;

/** An ssh(1) that runs. */
export interface SshProcess {
  readonly input: Writable;
  readonly output: Readable;
  /** What it wrote to stderr: the beginning, at most 8 KiB. */
  stderr(): string;
  /** Its exit status; -1: it ended by a signal, or could not be started. Never rejects. */
  readonly ended: Promise<number>;
  /** Ends it, and what it started; returns when it is gone. */
  kill(): Promise<void>;
}

const STDERR_BYTES = 8 * 1024;

/** @param added beside what of `env` ssh(1) needs */
export function spawnSsh(
  program: string,
  args: readonly string[],
  env: Environment,
  added: Environment = {},
): SshProcess {
  // A session of its own: ^C is for us, who end it in order; and with no terminal nothing asks a question there.
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...childEnvironment(env), ...added },
    detached: true,
  });
  let text = "";
  child.stderr.on("data", (chunk: Buffer) => {
    text = (text + chunk.toString("utf8")).slice(0, STDERR_BYTES);
  });
  child.stdin.on("error", () => undefined);
  const ended = new Promise<number>((resolve) => {
    child.once("error", (error) => {
      text ||= error.message;
      resolve(-1);
    });
    // Not `exit`: stderr is complete now. A program of ours in the background may keep it open: not for long.
    child.once("exit", (code) => {
      const timer = setTimeout(() => resolve(code ?? -1), 1000);
      child.once("close", () => {
        clearTimeout(timer);
        resolve(code ?? -1);
      });
    });
  });
  return {
    input: child.stdin,
    output: child.stdout,
    stderr: () => text,
    ended,
    async kill() {
      const signal = (name: NodeJS.Signals): void => {
        if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
        try {
          process.kill(-child.pid, name);
        } catch {
          // It ended meanwhile.
        }
      };
      signal("SIGTERM");
      const timer = setTimeout(() => signal("SIGKILL"), 2000);
      child.stdin.destroy();
      child.stdout.destroy();
      await ended;
      clearTimeout(timer);
    },
  };
}

/** Its path, if a program of this name is on the PATH. */
export async function findProgram(name: string, env: Environment): Promise<string | undefined> {
  for (const directory of (env.PATH ?? "").split(delimiter)) {
    const path = join(directory, name);
    const found =
      directory !== "" &&
      (await access(path, constants.X_OK).then(
        () => true,
        () => false,
      ));
    if (found) return path;
  }
  return undefined;
}
