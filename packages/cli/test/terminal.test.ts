import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { Transform, pipeline } from "node:stream";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { writeSecret } from "../../../test/support/command.js";
import { type FakeImap, lazyBytes, makeFolder, makeMessage, startFakeImap } from "../../../test/support/fake-imap.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { readTree } from "../../../test/support/tree.js";

const MAIN = fileURLToPath(new URL("../bin/backup.js", import.meta.url));
const MESSAGES = 700;
const SHOW_CURSOR = "\x1b[?25h";
const HIDE_CURSOR = "\x1b[?25l";

let server: FakeImap;
let slow: SlowProxy;
let directory: TemporaryDirectory;
let args: string[];

interface SlowProxy extends AsyncDisposable {
  readonly port: number;
}

/** Forwards to a port of the loopback; what the server says comes at so many bytes a second. */
async function startSlowProxy(target: number, bytesPerSecond: number): Promise<SlowProxy> {
  const proxy = createServer((client) => {
    const upstream = connect({ port: target, host: "127.0.0.1" });
    const throttle = new Transform({
      transform(data: Buffer, _encoding, done) {
        setTimeout(() => done(undefined, data), (data.length * 1000) / bytesPerSecond);
      },
    });
    pipeline(client, upstream, () => {});
    pipeline(upstream, throttle, client, () => {});
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  return {
    port: (proxy.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => void (await once(proxy.close(), "close")),
  };
}

beforeAll(async () => {
  const messages = Array.from({ length: MESSAGES }, (_, index) =>
    makeMessage(index + 1, { bytes: lazyBytes(3000, { head: `Subject: ${index}\r\n\r\n` }) }),
  );
  server = await startFakeImap({ folders: new Map([["INBOX", makeFolder(messages)]]) });
  slow = await startSlowProxy(server.tlsPort, 500_000);
  directory = await temporaryDirectory();
});
afterAll(async () => {
  await slow?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});
beforeEach(async ({ task }) => {
  const secret = await writeSecret(directory.path, "alice.password", "secret");
  const target = join(directory.path, task.id);
  args = ["imap", "alice", target, `imaps://localhost:${slow.port}`, "--srcsecret", secret, "--tls-ca", server.caFile];
});

/** Runs it on a terminal of 100 columns, by script(1): stdout and stderr are one. */
function startOnTerminal(more: readonly string[] = []) {
  const words = [process.execPath, MAIN, ...args, ...more].map((word) => `'${word}'`);
  const child = spawn("script", ["-qec", `stty cols 100; exec ${words.join(" ")}`, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const finish = async () => {
    const [screen, [code]] = await Promise.all([text(child.stdout), once(child, "close") as Promise<[number | null]>]);
    return { screen, code };
  };
  return { child, result: finish() };
}

describe("on a terminal", () => {
  it("shows messages, bytes, rate and time left while it goes on, and clears that away", async () => {
    const { screen, code } = await startOnTerminal().result;
    expect(code).toBe(0);
    expect(screen).toMatch(/░+ 0% {2}0 of 700 messages, 0 B of 2\.1 MB, 0 B\/s, \? left/);
    expect(screen).toMatch(
      /█+░+ \d+% {2}\d+ of 700 messages, \d+(\.\d)? [kM]B of 2\.1 MB, \d+(\.\d)? kB\/s, \d+s left/,
    );
    const counts = [...screen.matchAll(/(\d+) of 700 messages/g)].map(([, count]) => Number(count));
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(counts.some((count) => count > 0 && count < 700)).toBe(true);
    // To the beginning of the line, and away with it; then what stays.
    const last = screen.slice(screen.lastIndexOf(" left"));
    expect(last).toMatch(/^ left\x1b\[0K[^]*\x1b\[1G\x1b\[2Kdone: 1 folder [^\x1b]*$/);
    expect(screen.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(screen.lastIndexOf(HIDE_CURSOR));
    // No rate that the throttle does not allow, also at the beginning.
    expect(screen).not.toMatch(/[GT]B\/s|[2-9]\.\d MB\/s|\d\d MB\/s/);
  });

  it("shows no bar with -q", async () => {
    const { screen, code } = await startOnTerminal(["-q"]).result;
    expect({ screen, code }).toEqual({ screen: "", code: 0 });
  });

  it("shows no bar with --json", async () => {
    const { screen, code } = await startOnTerminal(["--json"]).result;
    expect(code).toBe(0);
    for (const line of screen.trimEnd().split("\r\n")) expect(JSON.parse(line)).toHaveProperty("type");
  });

  it("gives the cursor back when it is stopped, once or twice", async () => {
    for (const times of [1, 2]) {
      const { child, result } = startOnTerminal();
      let seen = "";
      await new Promise<void>((resolve) => {
        child.stdout.on("data", (data: Buffer) => {
          seen += data.toString();
          if (seen.includes(" left")) resolve();
        });
      });
      expect(seen).toContain(HIDE_CURSOR);
      for (let press = 0; press < times; press++) child.stdin.write("\x03");
      const { screen, code } = await result;
      expect(code).toBe(130);
      expect(screen.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(screen.lastIndexOf(HIDE_CURSOR));
      if (times === 1)
        expect(screen).toMatch(/backup: stopped by SIGINT; what was copied is kept, and the next run goes on/);
    }
  });
});

describe("without a terminal", () => {
  it("prints neither a bar nor a control character", async () => {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    expect(stdout.trimEnd().split("\n")).toHaveLength(3);
    expect((await readTree(args[2] ?? ""))[0]?.messages).toHaveLength(MESSAGES);
  });
});
