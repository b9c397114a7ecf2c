// The command `backup` as a worker runs it, which notes when it gets and ends a lease, by its own clock.
// FLEET_RECORDS names the file.
import { appendFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const records = process.env.FLEET_RECORDS ?? "";
const write = process.stdout.write.bind(process.stdout);
/** @param {string | Uint8Array} chunk @param {...any} rest */
process.stdout.write = (chunk, ...rest) => {
  for (const line of String(chunk).split("\n").filter(Boolean)) {
    const { type, destination, fence } = JSON.parse(line);
    if (type !== "lease" && type !== "end" && type !== "error") continue;
    appendFileSync(records, `${JSON.stringify({ type, destination, fence, pid: process.pid, at: Date.now() })}\n`);
  }
  return write(chunk, ...rest);
};
process.argv[1] = fileURLToPath(new URL("../../packages/cli/bin/backup.js", import.meta.url));
const { main } = await import("../../packages/cli/bundle/main.js");
await main();
