import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CommandLine, ProgramRunner, RemoteShell, RunningProgram } from "@backup/core";
import { quoteWord } from "./split-words.js";

/** Where the client programs run. */
export interface Machine {
  /** For messages: ` at db.example.org`, or nothing for this machine. */
  readonly at: string;
  /**
   * Starts a client program with its option file and no other one. What is written to its input it reads.
   * @throws BackupError PROGRAM_MISSING; where it is missing on another machine it ends with MISSING
   */
  start(program: string, args: readonly string[], options: string): Promise<RunningProgram>;
}

/** What a shell says of a program that is not there. */
export const MISSING = 127;

/**
 * Reads so many bytes of its input as the option file, and gives them to the program as a file that has no name: in no
 * argument, in no variable, on no disk. One byte at a time, because what follows is for the program.
 */
const WITH_OPTIONS = `n=$1; shift; options=$(dd bs=1 count="$n" 2>/dev/null) || exit 125; exec 3<<EOF
$options
EOF
exec "$@"`;
const HANDED_OVER = "--defaults-file=/dev/fd/3";

/** Variables by which programs as docker(1) and kubectl(1) find what they run in. */
const FOR_PREFIXES = /^(?:DOCKER_|CONTAINER_|PODMAN_|KUBE|LXC_|LXD_|INCUS_)/;

export interface LocalMachineOptions {
  readonly runner: ProgramRunner;
  /** A private directory, 0700. */
  readonly temporaryDirectory: () => Promise<string>;
}

/** This one. The option file is in a private directory, 0600. */
export function localMachine({ runner, temporaryDirectory }: LocalMachineOptions): Machine {
  let files = 0;
  const written = new Map<string, Promise<string>>();
  const write = async (options: string): Promise<string> => {
    const file = join(await temporaryDirectory(), `client-${files++}.cnf`);
    await writeFile(file, options, { mode: 0o600, flag: "wx" });
    return file;
  };
  return {
    at: "",
    async start(program, args, options) {
      const file = written.get(options) ?? write(options);
      written.set(options, file);
      return await runner.start([program, `--defaults-file=${await file}`, ...args]);
    },
  };
}

/** What a command leads to, as `docker exec -i db`: it runs the words that follow. */
export function prefixedMachine(
  runner: ProgramRunner,
  prefix: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Machine {
  const own = Object.entries(env).filter(([name, value]) => FOR_PREFIXES.test(name) && value !== undefined);
  return farMachine(` by ${prefix.join(" ")}`, (words) => {
    const [program = "", ...args] = [...prefix, ...words];
    return runner.start([program, ...args], { env: Object.fromEntries(own) as Record<string, string> });
  });
}

/** Another host. @param prefix words before those of the client program there */
export function sshMachine(
  runner: ProgramRunner,
  {
    name,
    shell,
    prefix,
  }: { readonly name: string; readonly shell: () => Promise<RemoteShell>; readonly prefix: readonly string[] },
): Machine {
  return farMachine(` at ${name}`, async (words) => {
    const { program, args, target, env } = await shell();
    const line = [...prefix, ...words].map(quoteWord).join(" ");
    return await runner.start([program, ...args, "--", target, line], { env });
  });
}

function farMachine(at: string, run: (words: CommandLine) => Promise<RunningProgram>): Machine {
  return {
    at,
    async start(program, args, options) {
      const bytes = Buffer.from(options);
      const started = await run(["sh", "-c", WITH_OPTIONS, "sh", `${bytes.byteLength}`, program, HANDED_OVER, ...args]);
      started.stdin.write(bytes);
      return started;
    },
  };
}
