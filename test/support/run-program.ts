import { execFile } from "node:child_process";
import { promisify } from "node:util";

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. @throws Error where it cannot be started, or a signal ends it */
export async function runProgram(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Ended> {
  try {
    return { code: 0, ...(await promisify(execFile)(program, args, { env })) };
  } catch (error) {
    if (error instanceof Error && "code" in error && typeof error.code === "number") {
      const { code, stdout, stderr } = error as Error & Ended;
      return { code, stdout, stderr };
    }
    throw error;
  }
}
