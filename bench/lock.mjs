/** One benchmark at a time in a cache: two would share a mirror, and their figures would be worth nothing anyway. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * @param {string} cache
 * @returns {() => void} gives the lock back
 * @throws when a living process holds it
 */
export const lock = (cache) => {
  mkdirSync(cache, { recursive: true });
  const file = join(cache, "lock");
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: "wx" });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const holder = Number(readFileSync(file, "utf8"));
    if (alive(holder)) throw new Error(`another benchmark is running here: process ${holder} holds ${file}`);
    rmSync(file, { force: true });
  }
};

/** @param {number} pid */
const alive = (pid) => {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
};
