import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../../../..", import.meta.url));

/** Compiles the sources into a directory, for processes that run without vitest. */
export async function compileCore(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "package.json"), '{"type":"module"}\n');
  const off = ["composite", "incremental", "declaration", "declarationMap", "sourceMap"].flatMap((option) => [
    `--${option}`,
    "false",
  ]);
  const project = ["-p", join(ROOT, "packages/core"), "--outDir", directory, "--tsBuildInfoFile", "null"];
  await promisify(execFile)(join(ROOT, "node_modules/.bin/tsc"), [...project, ...off]);
  return join(directory, "index.js");
}

export interface Child extends AsyncDisposable {
  readonly process: ChildProcess;
  /** Next line that it prints. */
  line(): Promise<string>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** A Node process that runs this module; it is killed at the end. */
export function startChild(script: string, values: readonly string[]): Child {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script, "--", ...values], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    process: child,
    async line() {
      const { value, done } = await lines.next();
      if (done) throw new Error("the child has ended");
      return value;
    },
    async kill(signal) {
      child.kill(signal);
      if (signal === "SIGKILL") await exited;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
