import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The top directory of the project. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Runs a program in the project's directory, without a shell; it writes where we write.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string }} [options]
 * @returns {Promise<number>} exit code
 */
export async function run(command, args, options = {}) {
  const { env = {}, cwd = ROOT } = options;
  const child = spawn(command, args, { cwd, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, ...env } });
  const [code] = await once(child, "close");
  return code ?? 1;
}

/**
 * The same for a program that runs beside others: what it writes is not shown but returned.
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Promise<{ code: number, text: string }>}
 */
export async function runAside(command, args) {
  const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (data) => {
      text += data;
    });
  const [code] = await once(child, "close");
  return { code: code ?? 1, text };
}

/**
 * The same for a program that has to succeed.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string }} [options]
 */
export async function mustRun(command, args, options) {
  const code = await run(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}`);
}

/**
 * What a program prints to stdout; undefined when there is no such program or it fails.
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Promise<string | undefined>}
 */
export async function outputOf(command, args) {
  const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  child.stdout.on("data", (data) => {
    text += data;
  });
  try {
    const [code] = await once(child, "close");
    return code === 0 ? text : undefined;
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}
