import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { Result } from "./command.js";

/** The program `docker`, and what tells it where its engine is. */
export interface DockerClient {
  readonly program: string;
  readonly env: NodeJS.ProcessEnv;
}

export async function runDocker({ program, env }: DockerClient, args: readonly string[]): Promise<Result> {
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    // Engines before 23 build with BuildKit only when they are told to.
    env: { ...env, DOCKER_BUILDKIT: "1" },
  });
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>,
  ]);
  return { code, signal, stdout, stderr };
}
