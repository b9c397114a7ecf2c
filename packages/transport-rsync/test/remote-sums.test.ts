import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BackupError } from "@backup/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import type { RemoteShell } from "../src/connection.js";
import { readSums, sumsByShell } from "../src/remote-sums.js";
import { plainShell, scriptShell } from "./support/rsync-shells.js";

const NEVER = new AbortController().signal;

let parent: TemporaryDirectory;
let shell: RemoteShell;
beforeEach(async () => {
  parent = await temporaryDirectory();
  // ssh(1) is called with `--` before the host.
  const plain = await plainShell(join(parent.path, "home"));
  shell = await scriptShell(join(parent.path, "ssh"), `exec '${plain.program}' "$@"`);
});
afterEach(() => parent[Symbol.asyncDispose]());

describe("digests that are made at the host", () => {
  it("are those of the files, whatever their names are, and a missing one costs no other", async () => {
    const home = join(parent.path, "home/a b");
    await mkdir(home, { recursive: true });
    const names = [
      "plain",
      "-rf",
      "--check",
      "new\nline",
      "back\\slash",
      "\\n",
      'it\'s `id` $(id) "x"',
      "ü",
      " *?",
      "cr\rx",
    ];
    for (const name of names) await writeFile(join(home, name), name);
    const files = names.map((name) => `a b/${name}`);
    const sums = await sumsByShell(async () => shell)([...files, "a b/missing", "-none"], NEVER);
    expect([...sums.keys()].toSorted()).toEqual(files.toSorted());
    for (const name of names) expect(sums.get(`a b/${name}`), name).toEqual(createHash("sha256").update(name).digest());
  });

  it("are asked for once where the account cannot make them", async () => {
    const body = `echo asked >> '${parent.path}/asked'; echo 'This account has no shell.'; exit 1`;
    let asked = 0;
    const refusing = await scriptShell(join(parent.path, "refusing"), body);
    const sums = sumsByShell(async () => {
      asked++;
      return refusing;
    });
    for (let n = 0; n < 3; n++) expect(await sums(["x"], NEVER)).toEqual(new Map());
    expect(asked).toBe(1);
    const none = sumsByShell(() => Promise.reject(new BackupError("TRANSPORT_MISSING", "no ssh")));
    expect(await none(["x"], NEVER)).toEqual(new Map());
    const lost = sumsByShell(() => Promise.reject(new BackupError("CONNECTION_LOST", "lost")));
    await expect(lost(["x"], NEVER)).rejects.toMatchObject({ code: "CONNECTION_LOST" });
  });

  it("end with the signal", async () => {
    const endless = await scriptShell(join(parent.path, "endless"), "exec sleep 1000");
    const abort = new AbortController();
    const waiting = sumsByShell(async () => endless)(["x"], abort.signal);
    setImmediate(() => abort.abort());
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("are read from what GNU and busybox print, and from nothing else", () => {
    const sum = "0f".repeat(32);
    const text = [
      `${sum}  a/x`,
      `${sum} *a/y`,
      `\\${sum}  a\\nb\\\\n\\r`,
      sum,
      "Welcome!",
      `${sum}a  z`,
      `${sum}  a/c`,
    ].join("\n");
    expect([...readSums(text).keys()]).toEqual(["a/x", "a/y", "a\nb\\n\r"]);
    expect(readSums(text).get("a/x")).toEqual(Buffer.from(sum, "hex"));
  });
});
