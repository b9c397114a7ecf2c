import { access, constants, open } from "node:fs/promises";
import { resolve } from "node:path";
import { BackupError, systemCode } from "@backup/core";
import type { Command } from "./hooks.js";
import { noScript } from "./script-missing.js";

/** A first line may be so long, bytes; Linux reads 256. */
const HEAD_BYTES = 1024;

/**
 * How a script is started: by the interpreter that its first line names, else by bash; a program as it is. What the kernel
 * would do with an executable script is done here for all, since a mounted one is often not executable.
 * @throws BackupError SCRIPT_MISSING, SCRIPT_FAILED
 */
export async function interpreterOf(file: string, directory: string): Promise<Command> {
  const path = resolve(file);
  const head = await readHead(file, directory);
  // No text: a compiled program.
  if (head.includes(0)) return [path];
  const text = head.toString("utf8");
  if (text.startsWith("\ufeff"))
    throw failed(`${file} begins with a byte order mark, which is no part of a script; save it as UTF-8 without one`);
  const [line = ""] = text.split("\n", 1);
  if (line.endsWith("\r"))
    throw failed(
      `${file} has the line ends of Windows (CR LF); save it with those of Unix (LF): sed -i 's/\\r$//' FILE`,
    );
  if (!line.startsWith("#!")) return ["bash", path];
  // As Linux reads it: an interpreter, and all that follows as one argument. execve(2)
  const [, interpreter, argument] = /^#![ \t]*(\S+)[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
  if (!interpreter) throw failed(`the first line of ${file} names no interpreter; write #!/bin/bash`);
  await checkInterpreter(interpreter, file);
  return argument ? [interpreter, argument, path] : [interpreter, path];
}

async function readHead(file: string, directory: string): Promise<Buffer> {
  try {
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await handle.stat();
    if (stats.isDirectory())
      throw noScript(
        `${file} is a directory, and a script is needed; docker makes one where the file to mount does not exist`,
        { file, directory },
      );
    if (!stats.isFile()) throw failed(`${file} is no regular file; a script must be one`);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    if (error instanceof BackupError) throw error;
    const code = systemCode(error) ?? "unknown error";
    if (code === "ENOENT" || code === "ENOTDIR") throw noScript(`there is no script ${file}`, { file, directory });
    throw failed(`${file} cannot be read (${code}) by ${whoever()}; make it readable: chmod a+r FILE`, error);
  }
}

async function checkInterpreter(interpreter: string, file: string): Promise<void> {
  try {
    await access(interpreter, constants.X_OK);
  } catch (error) {
    const code = systemCode(error) ?? "unknown error";
    const names = `the first line of ${file} names ${interpreter}`;
    if (code === "ENOENT" || code === "ENOTDIR")
      throw failed(`${names}, which is not there; correct that line, or install it`, error);
    throw failed(`${names}, which cannot be executed (${code}); correct that line`, error);
  }
}

/** For messages: who lacks a permission. */
export function whoever(): string {
  const uid = process.getuid?.();
  return uid === undefined ? "this user" : `user ${uid}`;
}

function failed(message: string, cause?: unknown): BackupError {
  return new BackupError("SCRIPT_FAILED", message, { cause });
}
