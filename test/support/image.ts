import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { Result } from "./command.js";
import { type Engine, openEngine } from "./engine.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A user whom the image does not know. */
export const UID = 12_345;

/** As much as can be taken from a container: everything works without it. */
export const HARDENED: readonly string[] = ["--user", `${UID}:${UID}`, "--read-only"].concat(
  ["--cap-drop", "ALL"],
  ["--security-opt", "no-new-privileges"],
);

/** Our image, as anybody builds it. */
export interface Image extends AsyncDisposable {
  readonly engine: Engine;
  readonly tag: string;
  /** `docker run` on the host's network; the container is removed. */
  run(options: readonly string[], args: readonly string[]): Promise<Result>;
  /** The same in the background: `docker` finds it by the name that is returned. */
  start(options: readonly string[], args: readonly string[]): Promise<string>;
  /** Stops what `start` started as `docker stop` does, removes it and says how it ended; at once if it has ended. */
  stop(name: string): Promise<Result & { readonly seconds: number }>;
}

export async function buildImage(): Promise<Image> {
  const engine = await openEngine();
  const tag = `backup-test-${randomUUID().slice(0, 8)}`;
  const dispose = async (): Promise<void> => {
    await engine.docker(["image", "rm", "--force", tag]);
    await engine[Symbol.asyncDispose]();
  };
  const network = ["--network", "host"];
  try {
    await engine.mustDocker(["build", "--progress", "plain", ...engine.buildOptions, "-t", tag, ROOT]);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    engine,
    tag,
    run: (options, args) => engine.docker(["run", "--rm", ...network, ...options, tag, ...args]),
    async start(options, args) {
      const name = `backup-test-${randomUUID()}`;
      await engine.mustDocker(["run", "--detach", "--name", name, ...network, ...options, tag, ...args]);
      return name;
    },
    async stop(name) {
      const started = performance.now();
      await engine.mustDocker(["stop", name]);
      const seconds = (performance.now() - started) / 1000;
      const code = Number(await engine.mustDocker(["inspect", "--format", "{{.State.ExitCode}}", name]));
      const { stdout, stderr } = await engine.docker(["logs", name]);
      await engine.mustDocker(["rm", "--force", name]);
      return { code, signal: null, stdout, stderr, seconds };
    },
    [Symbol.asyncDispose]: dispose,
  };
}
