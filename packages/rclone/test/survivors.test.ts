import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { descendantsOf } from "../../../test/support/process-tree.js";
import { startLocal } from "./support/remotes.js";

/** Opens a store, says so, and stays. */
const HOLDER = `
import { openRcloneStore } from "@backup/rclone";
const [config, path] = process.argv.slice(1);
const store = openRcloneStore({ address: { remote: "there", path }, config });
await store.lease(new AbortController().signal);
process.stdout.write("held");
setInterval(() => {}, 1000);
`;

test("no rclone outlives the process that started it, in whatever way that ends", async () => {
  await using disk = await startLocal();
  const args = ["--input-type=module", "-e", HOLDER, disk.config, disk.newPath()];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  const rclones = await descendantsOf(child.pid ?? 0);
  expect((await Promise.all(rclones.map(commandOf))).some((command) => command.startsWith("rclone\0rcd"))).toBe(true);
  child.kill("SIGKILL");
  await expect.poll(async () => (await Promise.all(rclones.map(commandOf))).join(""), { timeout: 10_000 }).toBe("");
});

async function commandOf(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
}
