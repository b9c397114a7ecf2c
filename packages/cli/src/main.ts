import { setFlagsFromString } from "node:v8";
import { run } from "./cli.js";

/** The command as a process: arguments from argv, the status as the exit code. */
export async function main(): Promise<void> {
  // Garbage is collected when the heap has grown by a third, not when it has doubled: about half the memory of a large first
  // copy, for a tenth more of the processor.
  setFlagsFromString("--heap-growing-percent=30");
  // Whatever the caller's umask: what is written here is for its owner alone.
  process.umask(0o077);
  // A reader that left (`| head`) is no error, and no reason to stop; a terminal that was closed says so by SIGHUP.
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE" && !(error.code === "EIO" && stream.isTTY)) throw error;
    });
  process.exitCode = await run(process.argv.slice(2), process.env);
}
