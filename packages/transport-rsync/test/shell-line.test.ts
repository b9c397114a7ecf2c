import { BackupError } from "@backup/core";
import { describe, expect, it } from "vitest";
import type { Connection, Host } from "../src/connection.js";
import { ShellLine } from "../src/shell-line.js";

const NEVER = new AbortController().signal;

/** A host to which so many connections fail, and the others are made, or never are. */
function hostOf({ failures = 0, isSilent = false }: { readonly failures?: number; readonly isSilent?: boolean }) {
  const made: { readonly signal: AbortSignal; readonly lost: AbortController; isDisposed: boolean }[] = [];
  const connect = async (signal: AbortSignal): Promise<Connection> => {
    const one = { signal, lost: new AbortController(), isDisposed: false };
    made.push(one);
    if (made.length <= failures) throw new BackupError("AUTH_FAILED", `attempt ${made.length}`);
    if (isSilent)
      await new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new BackupError("ABORTED", "stopped")));
      });
    return {
      lost: one.lost.signal,
      shell: { program: "ssh", args: [], target: `connection ${made.length}`, env: {} },
      sftp: () => Promise.reject(new Error("not asked for")),
      async [Symbol.asyncDispose]() {
        one.isDisposed = true;
      },
    };
  };
  const host: Host = {
    name: "nas",
    by: "OpenSSH",
    isPinned: async () => true,
    connect: (_options, signal) => connect(signal),
  };
  return { host, made };
}

describe("a line for programs", () => {
  it("that was begun is the one that is used, and is made anew when it was lost", async () => {
    const { host, made } = hostOf({});
    await using line = new ShellLine(host);
    line.begin();
    line.begin();
    expect((await line.shell(NEVER)).target).toBe("connection 1");
    expect((await line.shell(NEVER)).target).toBe("connection 1");
    made[0]?.lost.abort();
    const [one, other] = await Promise.all([line.shell(NEVER), line.shell(NEVER)]);
    expect([one.target, other.target]).toEqual(["connection 2", "connection 2"]);
    expect(made[0]?.isDisposed).toBe(true);
  });

  it("tells the first that needs it why it could not be begun, and is tried again for the next", async () => {
    const { host, made } = hostOf({ failures: 1 });
    await using line = new ShellLine(host);
    line.begin();
    await expect(line.shell(NEVER)).rejects.toMatchObject({ code: "AUTH_FAILED", message: "attempt 1" });
    expect(made).toHaveLength(1);
    expect((await line.shell(NEVER)).target).toBe("connection 2");
  });

  it("is waited for no longer than the caller wants, and is ended when it is closed", async () => {
    const { host, made } = hostOf({ isSilent: true });
    const line = new ShellLine(host);
    line.begin();
    const stop = new AbortController();
    const asked = line.shell(stop.signal);
    stop.abort();
    await expect(asked).rejects.toMatchObject({ code: "ABORTED" });
    expect(made[0]?.signal.aborted).toBe(false);
    await line[Symbol.asyncDispose]();
    expect(made[0]?.signal.aborted).toBe(true);
    line.begin();
    await expect(line.shell(NEVER)).rejects.toMatchObject({ code: "ABORTED" });
    expect(made).toHaveLength(1);
  });
});
