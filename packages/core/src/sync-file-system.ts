import { spawn } from "node:child_process";
import { childEnvironment } from "./child-environment.js";

/**
 * Has on disk what was written to the file system of a directory of this machine: syncfs(2), by sync(1) of GNU and busybox.
 * @returns false: there is no such program
 */
export function syncFileSystemHere(directory: string): Promise<boolean> {
  const child = spawn("sync", ["-f", "--", directory], { env: childEnvironment(process.env), stdio: "ignore" });
  // Not ended when a run is: what it waits for is the disk.
  return new Promise((resolve) => {
    child.once("error", () => resolve(false));
    child.once("close", (code) => resolve(code === 0));
  });
}
