import { run } from "./cli.js";
import { limitHeapGrowth } from "./heap-growth.js";

/** The command as a process: arguments from argv, the status as the exit code. */
export async function main(): Promise<void> {
  limitHeapGrowth();
  // Whatever the caller's umask: what is written here is for its owner alone.
  process.umask(0o077);
  // A reader that left (`| head`) is no error, and no reason to stop; a terminal that was closed says so by SIGHUP.
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE" && !(error.code === "EIO" && stream.isTTY)) throw error;
    });
  process.exitCode = await run(process.argv.slice(2), process.env);
}
