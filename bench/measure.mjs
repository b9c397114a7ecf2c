/** Runs a program under GNU time: wall clock, CPU, peak memory. */
import { execFile, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const TIME = "/usr/bin/time";
const LIMIT_MS = 30 * 60_000;
const SETTLE_MS = 2500;
const LOG_TAIL = 2000; // letters of a failed program's output that the error shows

/**
 * @typedef {object} Measurement
 * @property {number} wallS
 * @property {number} userS     CPU seconds of the program and the children it waited for
 * @property {number} sysS
 * @property {number} peakBytes resident set of the largest single process
 */

/**
 * @param {object} options
 * @param {readonly string[]} options.command
 * @param {string} options.cwd
 * @param {string} options.home  HOME of the program, so that no configuration of the user's takes part
 * @param {string} options.log   path without ending: `.out`, `.err` and `.time` are written
 * @param {AbortSignal} options.signal
 * @returns {Promise<Measurement>}
 * @throws when the program does not exit with 0
 */
export const measure = async ({ command, cwd, home, log, signal }) => {
  signal.throwIfAborted();
  const [out, err] = [openSync(`${log}.out`, "w"), openSync(`${log}.err`, "w")];
  const env = { PATH: process.env.PATH, LANG: "C.UTF-8", HOME: home, TMPDIR: home };
  const started = performance.now();
  // Its own process group, so that ending it ends what it started.
  const child = spawn(TIME, ["-f", "%U %S %M", "-o", `${log}.time`, ...command], {
    cwd,
    env,
    detached: true,
    stdio: ["ignore", out, err],
  });
  const end = () => child.pid !== undefined && child.exitCode === null && process.kill(-child.pid, "SIGTERM");
  const limit = setTimeout(end, LIMIT_MS);
  signal.addEventListener("abort", end);
  try {
    const code = await new Promise((resolve, reject) => {
      child.once("error", reject).once("exit", (status, killedBy) => resolve(status ?? killedBy));
    });
    const wallS = (performance.now() - started) / 1000;
    signal.throwIfAborted();
    if (code !== 0) {
      const said = [".out", ".err"].map((ending) => readFileSync(log + ending, "utf8")).join("");
      throw new Error(`exit ${code}: ${command.join(" ")}\n${said.slice(-LOG_TAIL)}`);
    }
    const [user, sys, kib] = readFileSync(`${log}.time`, "utf8").trim().split(" ").map(Number);
    return { wallS, userS: user, sysS: sys, peakBytes: kib * 1024 };
  } finally {
    clearTimeout(limit);
    signal.removeEventListener("abort", end);
    closeSync(out);
    closeSync(err);
  }
};

/**
 * Writes all dirty pages of the machine, so that no run pays for the one before it. Then lets a few seconds of file time
 * pass: mbsync takes a second longer in directories that were changed just now, which a re-run hours later does not meet.
 */
export const settle = async () => {
  await promisify(execFile)("sync");
  await sleep(SETTLE_MS);
};
