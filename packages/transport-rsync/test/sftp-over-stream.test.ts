import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { SFTPWrapper } from "ssh2";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { sftpOverStream } from "../src/sftp-over-stream.js";
import { names, never } from "./support/host-world.js";

function start(command: string, args: readonly string[] = []) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  return { child, streams: { host: "nas", input: child.stdout, output: child.stdin } };
}

const write = (sftp: SFTPWrapper, path: string, bytes: Buffer): Promise<void> =>
  new Promise((resolve, reject) => sftp.writeFile(path, bytes, (error) => (error ? reject(error) : resolve())));
const read = (sftp: SFTPWrapper, path: string): Promise<Buffer> =>
  new Promise((resolve, reject) => sftp.readFile(path, (error, bytes) => (error ? reject(error) : resolve(bytes))));
const rename = (sftp: SFTPWrapper, from: string, to: string): Promise<void> =>
  new Promise((resolve, reject) => sftp.ext_openssh_rename(from, to, (error) => (error ? reject(error) : resolve())));

test("speaks with a real sftp-server", async () => {
  await using directory = await temporaryDirectory();
  const { child, streams } = start("/usr/lib/openssh/sftp-server");
  const exited = once(child, "exit");
  const sftp = await sftpOverStream(streams, never);
  const bytes = Buffer.alloc(3_000_000, "body");
  const name = join(directory.path, "name\nwith 日本語");
  await write(sftp, name, bytes);
  await mkdir(join(directory.path, "d"));
  await rename(sftp, name, join(directory.path, "d", "e"));
  expect((await read(sftp, join(directory.path, "d", "e"))).equals(bytes)).toBe(true);
  await expect(names(sftp, join(directory.path, "none"))).rejects.toMatchObject({ code: 2 });
  sftp.end();
  await once(sftp, "close");
  sftp.end();
  await exited;
});

test("an end fails what waits, and what comes later, and closes once", async () => {
  const { child, streams } = start("/usr/lib/openssh/sftp-server");
  const sftp = await sftpOverStream(streams, never);
  let closes = 0;
  sftp.on("close", () => closes++);
  child.kill("SIGSTOP");
  const waiting = names(sftp, "/");
  child.kill("SIGKILL");
  await expect(waiting).rejects.toThrow("No response");
  await expect(names(sftp, "/")).rejects.toThrow("No response");
  expect(closes).toBe(1);
});

test("an answer that breaks the protocol fails what waits", async () => {
  const version = String.raw`\0\0\0\5\2\0\0\0\3`;
  const { streams } = start("sh", ["-c", `printf '${version}'; head -c 20 >/dev/null; printf '\\377\\377\\377\\377'`]);
  const sftp = await sftpOverStream(streams, never);
  await expect(names(sftp, "/")).rejects.toThrow("No response");
});

test.each([
  ["hello from\u001b[31m nas\n", "'hello from [31m nas'"],
  ["hi", "'hi'"],
  ["\u0000\u0000\u0000\u0005e", "'e'"],
  ["x".repeat(1000), `'${"x".repeat(60)}'`],
])("text is told from SFTP: %j", async (text, shown) => {
  const { streams } = start("node", [
    "-e",
    "process.stdout.write(process.argv[1])",
    "--",
    text.replaceAll("\0", "\u0001"),
  ]);
  await expect(sftpOverStream(streams, never)).rejects.toMatchObject({
    code: "PROTOCOL",
    message: expect.stringContaining(shown) as string,
  });
});

test("an end with nothing, and an abort", async () => {
  await expect(sftpOverStream(start("true").streams, never)).rejects.toMatchObject({ code: "TRANSPORT_MISSING" });
  const { child, streams } = start("sleep", ["60"]);
  const controller = new AbortController();
  const waiting = sftpOverStream(streams, controller.signal);
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ code: "ABORTED" });
  child.kill();
});
