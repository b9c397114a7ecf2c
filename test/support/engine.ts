import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Result } from "./command.js";
import { startEngine } from "./engine-daemon.js";
import { type DockerClient, runDocker } from "./engine-client.js";

/** A Docker Engine that has, or can get, the images that a Dockerfile begins with. */
export interface Engine extends AsyncDisposable {
  /** Runs `docker` with these arguments; how it ended is in the result. */
  docker(args: readonly string[]): Promise<Result>;
  /** What it prints, without the line end; throws if it fails. */
  mustDocker(args: readonly string[]): Promise<string>;
  /** Options for `docker build`. */
  readonly buildOptions: readonly string[];
}

/** This machine's own engine where one answers, else a private one; that needs root on Debian. */
export async function openEngine(): Promise<Engine> {
  if (await answers()) return engineOf({ program: "docker", env: process.env }, [], async () => {});
  const daemon = await startEngine();
  // There are no bridges: what is run in a build sees the host's network.
  return engineOf(daemon.client, ["--network", "host"], async () => await daemon[Symbol.asyncDispose]());
}

async function answers(): Promise<boolean> {
  try {
    await promisify(execFile)("docker", ["version", "--format", "{{.Server.Version}}"]);
    return true;
  } catch {
    // No such program, or no engine behind it.
    return false;
  }
}

function engineOf(client: DockerClient, buildOptions: readonly string[], dispose: () => Promise<void>): Engine {
  const docker = (args: readonly string[]): Promise<Result> => runDocker(client, args);
  return {
    docker,
    async mustDocker(args) {
      const { code, stdout, stderr } = await docker(args);
      if (code !== 0) throw new Error(`docker ${args.join(" ")} ended with ${code}: ${stderr.slice(-4000)}`);
      return stdout.trimEnd();
    },
    buildOptions,
    [Symbol.asyncDispose]: dispose,
  };
}
