import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { readTree } from "./support/tree.js";

const SCRIPT = fileURLToPath(new URL("../scripts/quickstart.mjs", import.meta.url));

describe("npm run quickstart", () => {
  let directory: TemporaryDirectory;
  let temporary: string;

  beforeAll(async () => {
    directory = await temporaryDirectory();
    temporary = join(directory.path, "tmp");
    await mkdir(temporary);
  });
  afterAll(() => directory[Symbol.asyncDispose]());

  /** With no terminal, and as the first of a process group, by which what it leaves is found. */
  const start = (destination: string) => {
    const child = spawn(process.execPath, [SCRIPT, destination], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      env: { ...process.env, TMPDIR: temporary },
    });
    return { child, result: finish(child) };
  };

  const expectNothingLeft = async (child: ChildProcess, output: string): Promise<void> => {
    expect(() => process.kill(-(child.pid ?? 0), 0)).toThrow("ESRCH");
    const [, port] = /imaps:\/\/localhost:(\d+)/.exec(output) ?? [];
    await expect(once(connect(Number(port), "127.0.0.1"), "connect")).rejects.toThrow("ECONNREFUSED");
    expect(await readdir(temporary)).toEqual([]);
  };

  it("shows a backup, one of a change, and one with nothing to do; then everything is gone but the backup", async () => {
    const destination = join(directory.path, "shown");
    for (const run of ["first", "again"]) {
      const { child, result } = start(destination);
      const { code, stdout, stderr } = await result;
      expect({ code, stderr }, `${run}\n${stdout}`).toEqual({ code: 0, stderr: "" });
      const [, , first, , second, third, next] = stdout.split("\n== ");
      expect(first).toMatch(/ 50 messages, 50 new, 0 moved, 0 flags, 0 deleted, /);
      expect(first).toMatch(/^ {2}INBOX +14 messages$/m);
      expect(second).toMatch(/ 50 messages, 1 new, 0 moved, 1 flags, 1 deleted, \d+ B in /);
      expect(second).toContain("server sent: 1)");
      expect(second?.match(/^ {2}(new|renamed|deleted) /gm)).toHaveLength(3);
      expect(third).toContain("9 folders: nothing to do");
      expect(third).toContain("server sent: 0)");
      expect(next).toContain("$ npx backup imap ");
      await expectNothingLeft(child, stdout);
      const folders = await readTree(destination);
      expect(folders.map((folder) => folder.directory)).toContain("Projects/Zürich");
      expect(folders.reduce((sum, { messages }) => sum + messages.length, 0)).toBe(50);
    }
  });

  it("leaves a directory alone that is not its own", async () => {
    const destination = join(directory.path, "foreign");
    await mkdir(destination);
    await writeFile(join(destination, "file"), "mine");
    const { code, stderr } = await start(destination).result;
    expect(code).toBe(1);
    expect(stderr).toContain("is not from an earlier quickstart");
    expect(await readFile(join(destination, "file"), "utf8")).toBe("mine");
    expect(await readdir(temporary)).toEqual([]);
  });

  it.each(["SIGINT", "SIGTERM"] as const)("cleans up after %s", async (signal) => {
    const destination = join(directory.path, signal);
    const { child, result } = start(destination);
    let seen = "";
    child.stdout.on("data", (data: Buffer) => {
      seen += data.toString();
      if (seen.includes("\n$ ")) child.kill(signal);
    });
    const { code, stdout, stderr } = await result;
    expect(code).toBe(1);
    expect(stderr).toContain(`npm run quickstart: stopped by ${signal}`);
    await expectNothingLeft(child, stdout);
  });
});

async function finish(
  child: ReturnType<typeof spawn> & { stdout: NodeJS.ReadableStream; stderr: NodeJS.ReadableStream },
) {
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: code as number | null, stdout, stderr };
}
