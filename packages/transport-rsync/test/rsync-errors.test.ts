import { join } from "node:path";
import { type BackupError, isBackupError } from "@backup/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { rsyncError, RsyncExit } from "../src/rsync-errors.js";
import { rsyncProgram } from "../src/rsync-process.js";
import { scriptShell } from "./support/rsync-shells.js";

const NEVER = new AbortController().signal;

let home: TemporaryDirectory;
beforeAll(async () => {
  home = await temporaryDirectory();
});
afterAll(() => home[Symbol.asyncDispose]());

/** What becomes of a listing whose remote shell does this. */
async function failing(body: string, directory = "."): Promise<BackupError> {
  const shell = await scriptShell(join(home.path, "shell"), body);
  const options = ["--list-only"];
  const list = { direction: "pull", shell, directory, local: home.path, options, signal: NEVER } as const;
  const error: unknown = await rsyncProgram()(list).then(
    () => new Error("it worked"),
    (reason: unknown) => reason,
  );
  if (!isBackupError(error)) throw error;
  return error;
}

describe("a failure of the real rsync", () => {
  it.each([
    [
      "a command that is missing",
      'exec sh -c "exec /nonexistent/rsync"',
      "TRANSPORT_MISSING",
      false,
      /has no rsync .*not found/,
    ],
    [
      "a program that may not be run",
      "echo 'sh: 1: rsync: Permission denied' >&2; exit 126",
      "TRANSPORT_MISSING",
      false,
      /does not let/,
    ],
    [
      "a banner",
      'echo Welcome to this host; exec sh -c "$*"',
      "PROTOCOL",
      false,
      /answers rsync with other text: its login shell prints something/,
    ],
    [
      "a lost connection",
      "echo 'ssh: connect to host h port 22: No route to host' >&2; exit 255",
      "CONNECTION_LOST",
      true,
      /No route to host/,
    ],
    ["a refused key", "echo 'me@h: Permission denied (publickey).' >&2; exit 255", "AUTH_FAILED", false, /publickey/],
    [
      "another host key",
      "echo 'Host key verification failed.' >&2; exit 255",
      "HOST_KEY_UNKNOWN",
      false,
      /verification/,
    ],
    ["a shell that ends at once", "exit 0", "CONNECTION_LOST", true, /broke/],
    ["a shell that is killed", "kill -9 $$", "CONNECTION_LOST", true, /broke|connection/],
    ["an option that is unknown there", 'exec sh -c "$* --nonsense"', "PROTOCOL", false, /too old/],
    [
      "another run of rrsync",
      "echo 'rrsync error: Another instance of rrsync is already accessing this directory.' >&2; exit 1",
      "LEASE_HELD",
      true,
      /one at a time/,
    ],
    ["rrsync that refuses", 'SSH_ORIGINAL_COMMAND="ls" exec rrsync /tmp', "PROTOCOL", false, /does not run rsync/],
    ["a time-out", "exec sleep 3", "TIMEOUT", true, /stopped answering/],
  ] as const)("%s", async (name, body, code, transient, message) => {
    if (name === "a time-out") {
      const exit = new RsyncExit({
        code: 30,
        killedBy: null,
        stderr: "io timeout after 1 seconds",
        stdout: Buffer.of(),
      });
      expect(rsyncError(exit, { host: "h", direction: "push" })).toMatchObject({
        code,
        transient,
        message: expect.stringMatching(message),
      });
      return;
    }
    expect(await failing(body)).toMatchObject({ code, transient, message: expect.stringMatching(message) });
  });

  it.each([15, 16])("one of its processes that is killed there (%d) is CONNECTION_LOST, and transient", (code) => {
    const stderr = `rsync error: sibling process terminated abnormally (code ${code}) at main.c(1394) [sender=3.5.0]`;
    const exit = new RsyncExit({ code, killedBy: null, stderr, stdout: Buffer.of() });
    const error = rsyncError(exit, { host: "h", direction: "push" });
    expect(error).toMatchObject({ code: "CONNECTION_LOST", transient: true });
  });

  it("a directory that is missing is NOT_FOUND, also under rrsync", async () => {
    expect(await failing('exec sh -c "$*"', join(home.path, "nope"))).toMatchObject({ code: "NOT_FOUND" });
    const restricted = `SSH_ORIGINAL_COMMAND="$*" exec rrsync '${home.path}'`;
    expect(await failing(restricted, "nope")).toMatchObject({ code: "NOT_FOUND" });
  });

  it("is one line, whatever the host says", async () => {
    const { message } = await failing(`printf 'first\\033[31m red {host}\\n%0900d\\n' 1 >&2; exit 255`);
    expect(message).toMatch(/^the connection to host .* \(first \[31m red \{host\}\); run again$/);
    expect((await failing("printf '%0900d\\n' 1 >&2; exit 255")).message.length).toBeLessThan(400);
  });

  it("says how many files failed", () => {
    const stderr = ["a", "b", "c"].map(
      (name) => `rsync: [sender] read errors mapping "${name}": Input/output error failed (5)`,
    );
    const exit = new RsyncExit({ code: 23, killedBy: null, stderr: stderr.join("\n"), stdout: Buffer.of() });
    expect(rsyncError(exit, { host: "h", direction: "push" })).toMatchObject({
      code: "DESTINATION_UNWRITABLE",
      message: expect.stringMatching(/"a": .*and 2 more/),
    });
  });

  it("names the spool where that is full", () => {
    const stderr = 'rsync: [receiver] write failed on "/tmp/x": No space left on device (28)';
    const exit = new RsyncExit({ code: 11, killedBy: null, stderr, stdout: Buffer.of() });
    expect(rsyncError(exit, { host: "h", direction: "pull" }).code).toBe("SPOOL_UNWRITABLE");
    expect(rsyncError(exit, { host: "h", direction: "push" }).code).toBe("DISK_FULL");
  });

  it("of this machine's rsync is said to be here", async () => {
    const shell = await scriptShell(join(home.path, "shell"), "exit 0");
    const list = { direction: "pull", shell, directory: "", local: home.path, options: [], signal: NEVER } as const;
    await expect(rsyncProgram({ program: "no-such-rsync" })(list)).rejects.toMatchObject({
      code: "TRANSPORT_MISSING",
      message: expect.stringMatching(/on this machine/),
    });
    const missing = { ...list, shell: { ...shell, program: "/nonexistent/ssh" } };
    await expect(rsyncProgram()(missing)).rejects.toMatchObject({
      code: "TRANSPORT_MISSING",
      message: expect.stringMatching(/this machine/),
    });
  });
});
