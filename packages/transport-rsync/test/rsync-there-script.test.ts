import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type ScriptOptions, scriptOf } from "../src/rsync-there-script.js";

let bin: string;
beforeEach(async () => {
  bin = await mkdtemp(join(tmpdir(), "bk-script-"));
});
afterEach(() => rm(bin, { recursive: true, force: true }));

/** Runs it as a host does, with a program of this text for rsync. */
async function start(program: string, options: ScriptOptions, words: readonly string[] = []) {
  await writeFile(join(bin, "rsync"), `#!/bin/sh\n${program}\n`);
  await chmod(join(bin, "rsync"), 0o755);
  const command = ["-c", 'exec 3<&0 4>&1; exec sh -c "$0" sh "$@" </dev/null', scriptOf(options), ...words];
  const child = spawn("sh", command, { env: { PATH: `${bin}:${process.env.PATH}` }, stdio: "pipe" });
  child.stdin.on("error", () => {});
  const said = Promise.all([text(child.stderr), once(child, "close")]).then(([stderr]) => stderr);
  return { child, said };
}

it("hands over words and what is to be read, and tells lines, complaints and the exit status apart", async () => {
  const program = 'echo "=line of $1"; echo "#exit 0" >&2; cat; echo complaint >&2; exit 23';
  const { child, said } = await start(program, { inputBytes: 6, isDirect: false }, ["a b"]);
  child.stdin.write("input\nbehind it");
  expect((await said).split("\n").toSorted()).toEqual(
    ["", "#begin", "=line of a b", "input", "!#exit 0", "!complaint", "#exit 23"].toSorted(),
  );
});

it.each([true, false])(
  "ends what reaches the other host by itself when this machine is gone: silently %s",
  async (isSilent) => {
    const { child, said } = await start("exec sleep 60", { inputBytes: 0, isDirect: true, silenceSeconds: 1 });
    const started = performance.now();
    if (isSilent) child.stdin.write(".");
    else child.stdin.end();
    expect(await said).toMatch(/#exit 143\n$/);
    expect(performance.now() - started).toBeLessThan(30_000);
  },
);

it("lets it go on while there is a sign of this machine", async () => {
  const { child, said } = await start("sleep 3; exit 7", { inputBytes: 0, isDirect: true, silenceSeconds: 2 });
  const beat = setInterval(() => child.stdin.write("."), 300);
  void said.finally(() => clearInterval(beat));
  child.stderr.on("data", (piece: Buffer) => {
    if (piece.includes("#exit")) child.stdin.end();
  });
  expect(await said).toMatch(/#exit 7\n$/);
});
