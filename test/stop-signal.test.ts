import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { busy } from "./support/busy.js";
import { runBackup, startBackup, writeSecret } from "./support/command.js";
import { type Folder, lazyBytes, makeFolder, makeMessage, startFakeImap } from "./support/fake-imap.js";
import { modelTree } from "./support/fake-mirror.js";
import { readPublished } from "./support/published.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { readTree } from "./support/tree.js";

describe.each(["SIGTERM", "SIGINT"] as const)("%s", (signal) => {
  const BIG: readonly (readonly [name: string, folders: () => Map<string, Folder>])[] = [
    ["one large message", () => new Map([["INBOX", makeFolder([makeMessage(1, { bytes: lazyBytes(200_000_000) })])]])],
    [
      "many messages",
      () =>
        new Map([
          [
            "INBOX",
            makeFolder(
              Array.from({ length: 60 }, (_, index) => makeMessage(index + 1, { bytes: lazyBytes(2_000_000 + index) })),
            ),
          ],
        ]),
    ],
  ];

  test.each(BIG)(
    "in the transfer of %s ends the run at once, and the next one completes",
    async (_name, folders) => {
      await using directory = await temporaryDirectory();
      await using server = await startFakeImap({ folders: folders() });
      const run = await start(directory, server);
      await expect
        .poll(async () => await bytesIn(run.temporary), { interval: 5, timeout: 60_000 })
        .toBeGreaterThan(4_000_000);
      await interrupted(run, signal);
      expect(await readPublished(run.destination)).toBeInstanceOf(Array);
      expect(await runBackup(run.args)).toMatchObject({ code: 0, stderr: "" });
      expect(await readTree(run.destination)).toEqual(modelTree(server.folders));
    },
    180_000,
  );

  test.each(["GREETING", "LIST", "UID FETCH"])("while the server is silent at %s", async (command) => {
    await using directory = await temporaryDirectory();
    await using server = await startFakeImap({ folders: new Map([["INBOX", makeFolder(5)]]) });
    let silent = false;
    server.fault = (context) => {
      if (context.command !== command) return undefined;
      silent = true;
      return { type: "stall" };
    };
    const run = await start(directory, server);
    await expect.poll(() => silent, { interval: 5, timeout: 60_000 }).toBe(true);
    await setTimeout(50);
    await interrupted(run, signal);
    server.fault = undefined;
    expect(await runBackup(run.args)).toExit(0);
    expect(await readTree(run.destination)).toEqual(modelTree(server.folders));
  });
});

async function start(
  directory: TemporaryDirectory,
  { tlsPort, caFile }: { readonly tlsPort: number; readonly caFile: string },
) {
  const secret = await writeSecret(directory.path, "alice.password", "secret");
  const destination = join(directory.path, "dest");
  const args = [
    "imap",
    "alice",
    destination,
    `imaps://localhost:${tlsPort}`,
    "--srcsecret",
    secret,
    "--tls-ca",
    caFile,
  ];
  return { args, destination, temporary: join(destination, ".backup/tmp"), ...startBackup(args) };
}

/** Sends the signal; the process says so in one line and leaves nothing half behind, within two seconds. */
async function interrupted(run: Awaited<ReturnType<typeof start>>, signal: NodeJS.Signals): Promise<void> {
  expect(run.child.exitCode).toBeNull();
  const sent = performance.now();
  run.child.kill(signal);
  const { code, stderr } = await run.result;
  expect(performance.now() - sent).toBeLessThan(busy(2000));
  expect({ code, stderr }).toEqual({
    code: 130,
    stderr: expect.stringMatching(new RegExp(`^backup: stopped by ${signal};[^\n]*\n$`)),
  });
  const left = await readdir(run.destination.concat("/.backup"), { recursive: true }).catch(() => []);
  expect(left.filter((name) => name !== "tmp" && name !== "checkpoint.json")).toEqual([]);
}

async function bytesIn(directory: string): Promise<number> {
  const names = await readdir(directory).catch(() => []);
  const sizes = await Promise.all(
    names.map(async (name) => (await stat(join(directory, name)).catch(() => ({ size: 0 }))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
