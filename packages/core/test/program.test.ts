import { existsSync } from "node:fs";
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import {
  BackupError,
  type PluginContext,
  ProgramExit,
  type RunningProgram,
  membersOf,
  openPluginContext,
} from "../src/index.js";

const TOKEN = "hunter2-correct-horse";

let directory: TemporaryDirectory;
let stop: AbortController;
let context: PluginContext & AsyncDisposable;
beforeEach(async () => {
  directory = await temporaryDirectory();
  stop = new AbortController();
  context = openPluginContext({
    args: { srcsecret: join(directory.path, "token") },
    onEvent: () => {},
    signal: stop.signal,
    env: { ...process.env, MY_TOKEN: TOKEN },
  });
  await writeFile(join(directory.path, "token"), `${TOKEN}\n`, { mode: 0o600 });
});
afterEach(async () => {
  await context[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

const sh = (script: string): [string, ...string[]] => ["bash", "-c", script];

describe("a program that is run", () => {
  it("gives its output, and gets its input", async () => {
    const { stdout, status, stderr } = await context.run(["tr", "a-z", "A-Z"], { input: "hello; $(rm -rf)" });
    expect({ text: stdout.toString(), status, stderr }).toEqual({ text: "HELLO; $(RM -RF)", status: 0, stderr: "" });
  });

  it("need not read its input", async () => {
    const { stdout } = await context.run(["echo", "no"], { input: Buffer.alloc(1_000_000) });
    expect(stdout.toString()).toBe("no\n");
  });

  it("gets no secret by its environment, and what it is given besides", async () => {
    const { stdout } = await context.run(["env"], { env: { LC_ALL: "C" } });
    expect(stdout.toString()).toContain("LC_ALL=C\n");
    expect(stdout.toString()).toContain("PATH=");
    expect(stdout.toString()).not.toContain(TOKEN);
  });

  it("that fails says why, in one line, with all that it said as the cause, and without secrets", async () => {
    await context.secret({ partner: "alice", extensions: [".password"] });
    const failing = context.run(sh(`echo first >&2; echo "no such thing: ${TOKEN}" >&2; exit 3`));
    const error = await failing.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({
      code: "PROGRAM_FAILED",
      message: "bash ended with status 3: no such thing: [secret]",
    });
    const { cause } = error as BackupError;
    expect(cause).toBeInstanceOf(ProgramExit);
    expect(cause).toMatchObject({ status: 3, signal: null, stderr: "first\nno such thing: [secret]" });
  });

  it("may end with a status that is accepted", async () => {
    expect(await context.run(sh("exit 1"), { accept: [1] })).toMatchObject({ status: 1 });
  });

  it("that is ended by a signal says so", async () => {
    await expect(context.run(sh("kill -9 $$"))).rejects.toThrow("bash was ended by SIGKILL");
  });

  it("that is not there says so", async () => {
    await expect(context.run(["no-such-program"])).rejects.toMatchObject({
      code: "PROGRAM_MISSING",
      message:
        "the program no-such-program cannot be started (ENOENT): there is no such program here; install it, or see PATH",
    });
  });

  it("may not print without end, nor run for ever", async () => {
    await expect(context.run(["yes"], { maxOutput: 100_000 })).rejects.toThrow("yes prints more than 100000 bytes");
    await expect(context.run(sh("sleep 60 & sleep 60"), { timeoutMs: 200 })).rejects.toMatchObject({ code: "TIMEOUT" });
  });

  it("keeps the end of what it says on stderr, however long that is", async () => {
    const { stderr } = await context.run(sh("head -c 1000000 /dev/zero | tr '\\0' x >&2; echo end >&2"));
    expect(stderr).toHaveLength(16 * 1024 - 1);
    expect(stderr).toMatch(/xend$/);
  });

  it("does not keep anybody waiting for what it left in the background, which is ended", async () => {
    const { stdout } = await context.run(sh("sleep 60 & echo $$"));
    expect(membersOf(Number(stdout))).toEqual([]);
  });
});

describe("a program whose output is read as a stream", () => {
  it("is whole, also when it is read slowly", async () => {
    await using program = await context.start(sh("head -c 3000000 /dev/zero"));
    const ended = program.wait();
    let bytes = 0;
    for await (const piece of program.stdout as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes === piece.length) await new Promise((resolve) => setTimeout(resolve, 1500));
    }
    expect(await ended).toEqual({ status: 0, stderr: "" });
    expect(bytes).toBe(3_000_000);
  });

  it("is ended with all that it started, when it is disposed of or the signal fires", async () => {
    const started = async (): Promise<[RunningProgram, number]> => {
      const program = await context.start(sh("echo $$; sleep 60 & sleep 60"));
      const [first] = (await program.stdout[Symbol.asyncIterator]().next()).value.toString().split("\n");
      return [program, Number(first)];
    };
    const [disposed, one] = await started();
    expect(membersOf(one).length).toBeGreaterThan(0);
    await disposed[Symbol.asyncDispose]();
    expect(membersOf(one)).toEqual([]);
    const [stopped, two] = await started();
    stop.abort();
    await expect(stopped.wait()).rejects.toMatchObject({ code: "ABORTED" });
    expect(membersOf(two)).toEqual([]);
    await expect(context.run(["true"])).rejects.toMatchObject({ code: "ABORTED" });
  });
});

describe("a plugin's temporary directory", () => {
  it("is private, one, and gone afterwards with all that is in it", async () => {
    const path = await context.temporaryDirectory();
    expect(await context.temporaryDirectory()).toBe(path);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    await writeFile(join(path, "a"), "a");
    expect(await readdir(path)).toEqual(["a"]);
    await context[Symbol.asyncDispose]();
    expect(existsSync(path)).toBe(false);
  });
});
