import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type Ending,
  type FakeImap,
  type FaultContext,
  makeFolder,
  makeMessage,
  startFakeImap,
} from "./support/fake-imap.js";
import { type Mirrored, mirrorFake, modelTree } from "./support/fake-mirror.js";
import { temporaryDirectory } from "./support/temporary-directory.js";
import { readTree } from "./support/tree.js";

const MICROSOFT: Ending = {
  type: "bad",
  text: "Request is throttled. Suggested Backoff Time: 70 milliseconds",
};
const ACCOUNT: readonly Ending[] = [
  MICROSOFT,
  { type: "no", text: "[THROTTLED] later" },
  { type: "no", text: "[OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)" },
  { type: "no", text: "[ALERT] Too many simultaneous connections. (Failure)" },
  { type: "no", text: "Server Busy" },
  { type: "bye", text: "Server Busy" },
];
const FOR_NOW: readonly Ending[] = ["UNAVAILABLE", "INUSE", "LIMIT"].map((code) => ({
  type: "no",
  text: `[${code}] not now`,
}));

const STEPS: readonly (readonly [string, (context: FaultContext) => boolean])[] = [
  ["the login", ({ command }) => command === "AUTHENTICATE"],
  ["LIST", ({ command }) => command === "LIST"],
  ["EXAMINE", ({ command }) => command === "EXAMINE"],
  ["the FETCH of a listing", ({ command, args }) => command === "UID FETCH" && !args.includes("BODY")],
  ["the FETCH of bodies", ({ command, args }) => command === "UID FETCH" && args.includes("BODY")],
];

function warnings({ events }: Mirrored): readonly string[] {
  return events.flatMap((event) => (event.type === "warning" && event.code === "THROTTLED" ? [event.message] : []));
}

/** Fails so many times at a step, then never. */
function failTimes(server: FakeImap, times: number, is: (context: FaultContext) => boolean, fault: Ending): void {
  let struck = 0;
  server.fault = (context) => (is(context) && struck++ < times ? { ...fault, rows: 2 } : undefined);
}

describe("a server that asks to wait", () => {
  it.each(STEPS)("at %s is waited for, and the run completes", async (_name, is) => {
    for (const fault of [...ACCOUNT, ...FOR_NOW]) {
      await using directory = await temporaryDirectory();
      const folders = new Map([
        ["INBOX", makeFolder(6)],
        ["Archive", makeFolder(3)],
      ]);
      await using server = await startFakeImap({ folders });
      failTimes(server, 2, is, fault);
      const destination = join(directory.path, "dest");
      const result = await mirrorFake(server, destination);
      expect({ fault, ...result }).toMatchObject({ fault, exit: 0, failed: [] });
      expect(await readTree(destination)).toEqual(modelTree(folders));
      expect(warnings(result).length).toBeGreaterThan(0);
    }
  });

  it("is named with its words and the time, once for each pause", async () => {
    await using directory = await temporaryDirectory();
    await using server = await startFakeImap({ folders: new Map([["INBOX", makeFolder(6)]]) });
    failTimes(server, 2, ({ command, args }) => command === "UID FETCH" && args.includes("BODY"), MICROSOFT);
    const started = performance.now();
    const result = await mirrorFake(server, join(directory.path, "dest"));
    expect(performance.now() - started).toBeGreaterThanOrEqual(2 * 70);
    const message = expect.stringMatching(
      /^imaps:\/\/localhost:\d+ asks to wait \("Request is throttled.*; going on in 1 s$/,
    );
    expect(warnings(result)).toEqual([message, message]);
  });

  it("for ever is left in the end, with what was copied kept, and the next run goes on", async () => {
    await using directory = await temporaryDirectory();
    const folders = new Map([
      ["INBOX", makeFolder(6)],
      ["Archive", makeFolder(3)],
    ]);
    await using server = await startFakeImap({ folders });
    const destination = join(directory.path, "dest");
    server.fault = ({ command, args, folder }) =>
      command === "UID FETCH" && args.includes("BODY") && folder === "Archive" ? MICROSOFT : undefined;
    const result = await mirrorFake(server, destination, { patience: { totalMs: 200 } });
    expect(result).toMatchObject({ exit: 1, code: "THROTTLED", error: { transient: true } });
    expect(warnings(result)).toHaveLength(2);
    const kept = await readTree(destination);
    expect(kept.find(({ directory: at }) => at === "INBOX")?.messages).toHaveLength(6);
    server.fault = undefined;
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, failed: [] });
    expect(await readTree(destination)).toEqual(modelTree(folders));
  });

  it("is not waited for any longer when the run is interrupted", async () => {
    await using directory = await temporaryDirectory();
    await using server = await startFakeImap({ folders: new Map([["INBOX", makeFolder(6)]]) });
    const stop = new AbortController();
    server.fault = ({ command }) => {
      if (command !== "EXAMINE") return undefined;
      setImmediate(() => setTimeout(() => stop.abort(), 50));
      return { type: "bad", text: "Request is throttled. Suggested Backoff Time: 600000 milliseconds" };
    };
    const patience = { totalMs: 3_600_000 };
    const result = await mirrorFake(server, join(directory.path, "dest"), { patience, signal: stop.signal });
    expect(result).toMatchObject({ exit: 130, code: "ABORTED" });
    expect(warnings(result)).toHaveLength(1);
  });

  it.each(FOR_NOW)("for one folder, always, costs that folder alone: $text", async (fault) => {
    await using directory = await temporaryDirectory();
    const folders = new Map([
      ["INBOX", makeFolder(6)],
      ["Broken", makeFolder(3)],
    ]);
    await using server = await startFakeImap({ folders });
    server.fault = ({ command, folder }) => (command === "EXAMINE" && folder === "Broken" ? fault : undefined);
    const result = await mirrorFake(server, join(directory.path, "dest"));
    expect(result).toMatchObject({ exit: 3, failed: ["Broken"], report: { added: 6, removed: 0 } });
  });

  it("on a spare connection has one fewer, and the others do its work at once", async () => {
    await using directory = await temporaryDirectory();
    const messages = Array.from({ length: 30 }, (_, index) =>
      makeMessage(index + 1, { bytes: Buffer.alloc(200_000, `${index}\n`) }),
    );
    const folders = new Map(["INBOX", "A", "B", "C"].map((name) => [name, makeFolder(messages)]));
    await using server = await startFakeImap({ folders });
    server.fault = ({ command, connection }) => (command === "UID FETCH" && connection > 2 ? MICROSOFT : undefined);
    const destination = join(directory.path, "dest");
    const result = await mirrorFake(server, destination);
    expect(result).toMatchObject({ exit: 0, failed: [] });
    expect(warnings(result)).toEqual([]);
    expect(server.connections).toBeLessThanOrEqual(4);
    expect(await readTree(destination)).toEqual(modelTree(folders));
  });
});
