import type { CommandLine, ProgramOutput, ProgramRunner, RunningProgram } from "@backup/core";

export interface RunOptions {
  /** Exit statuses that are no error, besides 0. */
  readonly accept?: readonly number[] | undefined;
}

/** Where Samba is: programs run there, in the language C, with nothing on their input. */
export interface Machine {
  /** As a person calls it. */
  readonly name: string;
  /** @throws BackupError as ProgramRunner.run, and those of the connection */
  run(command: CommandLine, options?: RunOptions): Promise<ProgramOutput>;
  /** @throws BackupError as ProgramRunner.start, and those of the connection */
  start(command: CommandLine, options?: RunOptions): Promise<RunningProgram>;
}

/** Lets programs say what they say to programs. */
const ENV = { LC_ALL: "C" };

export function thisMachine(runner: ProgramRunner): Machine {
  return {
    name: "this machine",
    run: (command, options) => runner.run(command, { ...options, env: ENV }),
    async start(command, options) {
      const program = await runner.start(command, { ...options, env: ENV });
      program.stdin.on("error", () => {});
      program.stdin.end();
      return program;
    },
  };
}
