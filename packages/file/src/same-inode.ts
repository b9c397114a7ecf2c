import type { BigIntStats } from "node:fs";
import type { Entry } from "./manifest.js";
import { secondsOf } from "./seconds.js";

/** A clock and a file's times may be so far apart, milliseconds. */
const SLACK_MS = 2000;

/**
 * Whether something of this machine is what the last run has seen: its inode has not been changed since before that run
 * began, so it had these bytes and attributes then, under whatever name.
 * @param started when that run began, milliseconds since 1970
 */
export function isOfInode(stats: BigIntStats, { type, inode, size, mtime }: Entry, started: number): boolean {
  const found = stats.isFile() ? "file" : stats.isDirectory() ? "dir" : stats.isSymbolicLink() ? "link" : "other";
  if (found !== type || stats.ino !== inode) return false;
  if (type === "file" && Number(stats.size) !== size) return false;
  const isOld = Number(stats.ctimeNs / 1_000_000n) < started - SLACK_MS;
  // A destination may keep whole seconds.
  return isOld && secondsOf(stats.mtimeNs) === secondsOf(mtime);
}
