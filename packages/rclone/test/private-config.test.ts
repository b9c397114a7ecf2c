import { chmod, mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import type { BackupEvent } from "@backup/core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { openRcloneStore } from "../src/open-rclone-store.js";

const NEVER = new AbortController().signal;

/** An authorization server, and an object store with nothing in it. */
const server = createServer((request, response) => {
  request.resume();
  const isToken = request.url === "/token";
  response.writeHead(isToken ? 200 : 404, { "content-type": "application/json" });
  const tokens = { access_token: "new-access", refresh_token: "new-refresh", token_type: "Bearer", expires_in: 3600 };
  response.end(JSON.stringify(isToken ? tokens : { error: { code: 404, message: "not found" } }));
});
let directory: TemporaryDirectory;
let at: string;

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});
beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(() => directory[Symbol.asyncDispose]());

function text(): string {
  const token = {
    access_token: "old-access",
    refresh_token: "old-refresh",
    token_type: "Bearer",
    expiry: "2020-01-01T00:00:00Z",
  };
  return `# kept by hand
[cloud]
type = google cloud storage
token = ${JSON.stringify(token)}
token_url = ${at}/token
endpoint = ${at}/storage/v1/
; and this too
[other]
type = local
`;
}

async function use(config: string): Promise<readonly BackupEvent[]> {
  const events: BackupEvent[] = [];
  const address = { remote: "cloud", path: "bucket/a" };
  await using store = openRcloneStore({ address, config, onEvent: (event) => events.push(event) });
  await store.directories([], NEVER).catch(() => {});
  return events;
}

test("a token that rclone renews is written back, alone, and the file stays what it is", async () => {
  const file = join(directory.path, "cloud.rclone.conf");
  await writeFile(file, text());
  await chmod(file, 0o640);
  const events = await use(file);
  const after = await readFile(file, "utf8");
  expect(after).toContain('"refresh_token":"new-refresh"');
  expect(after.replace(/^token = .*$/m, "")).toBe(text().replace(/^token = .*$/m, ""));
  expect((await stat(file)).mode & 0o777).toBe(0o640);
  expect(await readdir(directory.path)).toEqual(["cloud.rclone.conf"]);
  expect(events.filter(({ type }) => type === "warning")).toEqual([]);
});

test("where it cannot be written back there is one warning, without it", async () => {
  const file = join(directory.path, "cloud.rclone.conf");
  await writeFile(file, text());
  await chmod(file, 0o400);
  const events = await use(file);
  expect(await readFile(file, "utf8")).toBe(text());
  const warnings = events.filter(({ type }) => type === "warning");
  expect(warnings).toMatchObject([{ code: "SECRET_UNWRITABLE" }]);
  expect(JSON.stringify(warnings).includes("new-refresh")).toBe(false);
});

test("the configuration is looked for in the designed order", async () => {
  const secrets = join(directory.path, "backup");
  const home = join(directory.path, "home");
  await mkdir(join(home, ".config/rclone"), { recursive: true });
  await mkdir(secrets);
  const open = async (): Promise<string> => {
    const env = { PATH: process.env["PATH"], HOME: home };
    const address = { remote: "disk", path: join(directory.path, "to") };
    await using store = openRcloneStore({ address, secretsDirectory: secrets, env });
    return await store.directories([], NEVER).then(
      () => "found",
      (error: Error) => error.message,
    );
  };
  expect(await open()).toContain(`looked for ${secrets}/disk.rclone.conf, ${home}/.config/rclone/rclone.conf, `);
  await writeFile(join(home, ".config/rclone/rclone.conf"), "[disk]\ntype = local\n", { mode: 0o600 });
  expect(await open()).toBe("found");
  await writeFile(join(secrets, "disk.rclone.conf"), "[another]\ntype = local\n", { mode: 0o600 });
  expect(await open()).toContain("has no remote 'disk'; it has: another");
});
