import { programRunner } from "@backup/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Sshd, startSshd } from "../../../test/support/sshd.js";
import { type RemotePrograms, openRemotePrograms } from "../src/remote-programs.js";
import { makeWorld } from "./support/host-world.js";

let sshd: Sshd;
beforeAll(async () => {
  sshd = await startSshd();
});
afterAll(() => sshd?.[Symbol.asyncDispose]());

async function programsOf(at: Sshd, signal = new AbortController().signal): Promise<RemotePrograms> {
  const { options } = await makeWorld(at, "OpenSSH");
  const runner = programRunner({ env: process.env, signal, scrub: (text) => text });
  return await openRemotePrograms({ ...options, runner, signal });
}

describe("programs of another host", () => {
  it("get their arguments as they are, whatever they hold, and nothing on their input", async () => {
    await using programs = await programsOf(sshd);
    const words = ["", " a  b ", "it's", '"$HOME" `id` \\', "!x", "line\nbreak", "-n", "*", "Köln", "\u0001"];
    const { stdout, stderr, status } = await programs.run(["printf", "<%s>", ...words]);
    expect({ stdout: stdout.toString(), stderr, status }).toEqual({
      stdout: words.map((word) => `<${word}>`).join(""),
      stderr: "",
      status: 0,
    });
    expect((await programs.run(["cat"])).stdout).toHaveLength(0);
    await expect(programs.run(["printf", "a\0b"])).rejects.toMatchObject({ code: "UNSAFE_PATH" });
  });

  it("end as those of this machine do", async () => {
    await using programs = await programsOf(sshd);
    const failing = ["sh", "-c", "echo out; echo why >&2; exit 3"] as const;
    await expect(programs.run(failing)).rejects.toMatchObject({
      code: "PROGRAM_FAILED",
      message: "sh on 127.0.0.1 ended with status 3: why",
      cause: { status: 3, stderr: "why" },
    });
    const accepted = await programs.run(failing, { accept: [3] });
    expect({ ...accepted, stdout: accepted.stdout.toString() }).toEqual({ status: 3, stdout: "out\n", stderr: "why" });
    await expect(programs.run(["no-such-program"])).rejects.toMatchObject({
      code: "PROGRAM_MISSING",
      message: "127.0.0.1 has no program no-such-program; install it there, or see PATH",
    });
  });

  it("print bytes, many of them, as a stream", async () => {
    await using programs = await programsOf(sshd);
    await using program = await programs.start(["head", "-c", "5000000", "/dev/urandom"]);
    let bytes = 0;
    for await (const piece of program.stdout) bytes += (piece as Buffer).length;
    expect(bytes).toBe(5_000_000);
    expect(await program.wait()).toEqual({ status: 0, stderr: "" });
  });

  it("are lost with the connection, and found again by the next one", async () => {
    await using programs = await programsOf(sshd);
    await using program = await programs.start(["sh", "-c", "echo begun; sleep 60"]);
    const ended = program.wait();
    for await (const _ of program.stdout) await sshd.cut();
    await expect(ended).rejects.toMatchObject({ code: "CONNECTION_LOST", transient: true });
    expect((await programs.run(["echo", "again"])).stdout.toString()).toBe("again\n");
  });

  it("end when it is asked for", async () => {
    const stopping = new AbortController();
    await using programs = await programsOf(sshd, stopping.signal);
    await using program = await programs.start(["sh", "-c", "echo begun; sleep 60"]);
    for await (const _ of program.stdout) {
      stopping.abort();
      break;
    }
    await expect(program.wait()).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("are none where the account may run nothing but SFTP", async () => {
    await using jailed = await startSshd({ account: "chroot" });
    await using programs = await programsOf(jailed);
    await expect(programs.run(["echo"])).rejects.toMatchObject({ code: "TRANSPORT_MISSING" });
  });
});
