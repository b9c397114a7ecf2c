import { chmod, chown, copyFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { busy } from "./support/busy.js";
import { fillAccount, readServer } from "./support/account.js";
import { type Result, eventsOf, reportOf, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import { HARDENED, type Image, UID, buildImage } from "./support/image.js";
import type { MailServer } from "./support/mail-server.js";
import { startProxy } from "./support/proxy.js";
import { type Sshd, startSshd } from "./support/sshd.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { expectedTree, readTree } from "./support/tree.js";

/** What the image may add to node:24-bookworm-slim, bytes. */
const LARGEST = 45_000_000;
const MODULES = "/usr/local/lib/backup/node_modules";

let image: Image;
let server: MailServer;
let sshd: Sshd;
let directory: TemporaryDirectory;
beforeAll(async () => {
  directory = await temporaryDirectory();
  [server, sshd, image] = await Promise.all([startDovecot(), startSshd(), buildImage()]);
  await fillAccount(server);
}, 600_000);
afterAll(async () => {
  await image?.[Symbol.asyncDispose]();
  await sshd?.[Symbol.asyncDispose]();
  await server?.stop();
  await directory?.[Symbol.asyncDispose]();
}, 60_000);

interface Place {
  /** Directory of secrets, mounted at /backup. */
  readonly secrets: string;
  /** Mounted at /data. */
  readonly data: string;
  readonly mounts: readonly string[];
}

/** The two directories that somebody who runs the container has made for it, of that user. */
async function makePlace(
  name: string,
  { uid = UID, files = {} }: { uid?: number; files?: Record<string, string> } = {},
) {
  const [secrets, data] = ["secrets", "data"].map((each) => join(directory.path, name, each)) as [string, string];
  await mkdir(secrets, { recursive: true });
  await mkdir(data);
  await writeSecret(secrets, "alice.password", "secret");
  await writeSecret(secrets, "bob.password", "wrong");
  await copyFile(server.caFile, join(secrets, "ca.pem"));
  await copyFile(sshd.identity, join(secrets, "127.0.0.1.id_ed25519"));
  await copyFile(sshd.knownHosts, join(secrets, "known_hosts"));
  for (const [file, text] of Object.entries(files)) await writeFile(join(secrets, file), text);
  for (const each of [data, secrets]) await chown(each, uid, uid);
  for (const file of await readdir(secrets)) await chown(join(secrets, file), uid, uid);
  return { secrets, data, mounts: ["-v", `${secrets}:/backup:ro`, "-v", `${data}:/data`] } satisfies Place;
}

const source = (port = server.tlsPort): readonly string[] => [
  `imaps://localhost:${port}`,
  "--tls-ca",
  "/backup/ca.pem",
];
const there = (name: string): string => `${sshd.user}@127.0.0.1:${sshd.remotePath}/${name}`;

async function expectMirrored(root: string): Promise<void> {
  expect(await readTree(root)).toEqual(expectedTree(await readServer(server)));
}

function expectDone(result: Result): void {
  expect(result).toMatchObject({ code: 0, stderr: "" });
  expect(reportOf(result)).toMatchObject({ result: "done", failed: 0 });
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 25_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within 25 s`);
    await sleep(200);
  }
}

describe("one action", () => {
  it.each([["backup"], []])(
    "is done by a user without a name, with no rights but to write to the directory: %j",
    async (...first) => {
      const { data, mounts } = await makePlace(`local-${first.length}`);
      const args = [...first, "imap", "alice", "/data/alice", ...source(), "--json"];
      expectDone(await image.run([...HARDENED, ...mounts], args));
      await expectMirrored(join(data, "alice"));
      const again = reportOf(await image.run([...HARDENED, ...mounts], args));
      expect(again).toMatchObject({ added: 0, removed: 0, unchanged: again.collections });
    },
  );

  it.each(["rsync", "sftp"] as const)("reaches another host by %s", async (transport) => {
    const { mounts } = await makePlace(transport);
    const options = ["--ssh-port", `${sshd.port}`, "--transport", transport, "--json"];
    const args = ["backup", "imap", "alice", there(transport), ...source(), ...options];
    const result = await image.run([...HARDENED, "--tmpfs", "/tmp", ...mounts], args);
    expectDone(result);
    expect(eventsOf(result)).toContainEqual(expect.objectContaining({ type: "transport", transport }));
    await expectMirrored(join(sshd.path, transport));
  });

  it("unlocks a key where nothing in /tmp may be run", async () => {
    const { secrets, mounts } = await makePlace("passphrase", { files: { "127.0.0.1.passphrase": "open sesame\n" } });
    const identity = join(secrets, "127.0.0.1.id_ed25519");
    await copyFile(await sshd.addKey("ed25519", "open sesame"), identity);
    const options = ["--ssh-port", `${sshd.port}`, "--json"];
    const args = ["imap", "alice", there("passphrase"), ...source(), ...options];
    const result = await image.run([...HARDENED, "--tmpfs", "/tmp", ...mounts], args);
    expect(result).toExit(0);
    await expectMirrored(join(sshd.path, "passphrase"));
  });

  it("works as root without any rights of root", async () => {
    const { data, mounts } = await makePlace("root", { uid: 0 });
    const args = ["imap", "alice", "/data/alice", ...source(), "--json"];
    expectDone(await image.run(["--read-only", "--cap-drop", "ALL", ...mounts], args));
    await expectMirrored(join(data, "alice"));
  });

  it("says what root without its rights may not read", async () => {
    const { mounts } = await makePlace("foreign");
    const args = ["imap", "alice", "/data/alice", ...source()];
    const result = await image.run(["--read-only", "--cap-drop", "ALL", ...mounts], args);
    expect(result).toMatchObject({ code: 2, stdout: "" });
    expect(result.stderr).toContain("secret /backup/alice.password cannot be read (EACCES)");
  });

  it("says what is missing to reach another host", async () => {
    const { mounts } = await makePlace("no-tmp");
    const args = ["imap", "alice", there("no-tmp"), ...source(), "--ssh-port", `${sshd.port}`];
    const result = await image.run([...HARDENED, ...mounts], args);
    expect(result).toExit(1);
    expect(result.stderr).toMatch(/^backup: .*\/tmp.*\n$/);
  });

  it("says which host's key is missing where it cannot be pinned", async () => {
    const { secrets, mounts } = await makePlace("no-known-hosts");
    await rm(join(secrets, "known_hosts"));
    const args = ["imap", "alice", there("no-known-hosts"), ...source(), "--ssh-port", `${sshd.port}`];
    const result = await image.run([...HARDENED, "--tmpfs", "/tmp", ...mounts], args);
    expect(result).toExit(1);
    expect(result.stderr).toContain(sshd.hostKeys[0]?.fingerprint);
    expect(result.stderr).toMatch(/cannot be pinned in \S+, which is not writable\. .*--host-key-fingerprint/);
  });

  it("is interrupted by SIGTERM and completed by the next run", async () => {
    const { data, mounts } = await makePlace("stopped");
    await using proxy = await startProxy({ target: server.tlsPort, fault: { kind: "stall", afterBytes: 100_000 } });
    const args = ["backup", "imap", "alice", "/data/alice", ...source(proxy.port)];
    const name = await image.start([...HARDENED, ...mounts], args);
    await until("the transfer stands still", async () => proxy.struck > 0);
    const result = await image.stop(name);
    expect(result).toExit(130);
    expect(result.stderr).toContain("stopped by SIGTERM");
    expect(result.seconds).toBeLessThan(busy(9));
    proxy.fault = undefined;
    expect(await image.run([...HARDENED, ...mounts], args)).toMatchObject({ code: 0, stderr: "" });
    await expectMirrored(join(data, "alice"));
  });
});

describe("a script", () => {
  const action = (...args: readonly string[]): string => `backup imap ${[...args, ...source()].join(" ")}`;
  const script = (): string =>
    [
      action("alice", "/data/first"),
      action("bob", "/data/second"),
      `${action("alice", there("script"))} --ssh-port ${sshd.port}`,
      "exit 0",
      "",
    ].join("\n");

  it.each([
    ["mounted as it should be", "#!/bin/bash\n", 0o755],
    ["without a run bit and a shebang", "", 0o644],
  ])("%s runs each action and says at the end how each went", async (name, shebang, mode) => {
    const { secrets, data, mounts } = await makePlace(`script-${mode}`, { files: { backup: shebang + script() } });
    await chmod(join(secrets, "backup"), mode);
    const result = await image.run([...HARDENED, "--tmpfs", "/tmp", ...mounts], []);
    expect(result, name).toExit(1);
    expect(result.stdout).toMatch(/OK .*alice → \/data\/first/);
    expect(result.stdout).toMatch(/KO .*bob → \/data\/second/);
    expect(result.stdout).toMatch(/3 actions: 2 OK, 1 KO/);
    await expectMirrored(join(data, "first"));
    await expectMirrored(join(sshd.path, "script"));
  });

  it("that is not there is explained", async () => {
    const result = await image.run([...HARDENED, "--tmpfs", "/tmp"], []);
    expect(result).toMatchObject({ code: 2, stdout: "" });
    expect(result.stderr).toMatch(/docker run .*-v .*:\/backup/);
    expect(result.stderr).toMatch(/docker run .*imap/);
  });

  it("is ended by SIGTERM within its time, and the next run completes", async () => {
    await using proxy = await startProxy({ target: server.tlsPort, fault: { kind: "stall", afterBytes: 100_000 } });
    const text = `backup imap alice /data/alice ${source(proxy.port).join(" ")}\n`;
    const { data, mounts } = await makePlace("stopped-script", { files: { backup: text } });
    const options = [...HARDENED, "--tmpfs", "/tmp", ...mounts];
    const name = await image.start(options, []);
    await until("the transfer stands still", async () => proxy.struck > 0);
    const result = await image.stop(name);
    expect(result).toExit(130);
    expect(result.stdout).toMatch(/INTERRUPTED .*alice → \/data\/alice/);
    expect(result.seconds).toBeLessThan(busy(9.5));
    proxy.fault = undefined;
    expect(await image.run(options, [])).toExit(0);
    await expectMirrored(join(data, "alice"));
  });
});

describe("a plan", () => {
  const plan = (user: string, ...lines: readonly string[]): string =>
    [
      "actions:",
      "  - type: imap",
      `    user: ${user}`,
      `    destination: /data/${user}`,
      `    server: imaps://localhost:${server.tlsPort}`,
      "    tls-ca: /backup/ca.pem",
      ...lines.map((line) => `    ${line}`),
      "",
    ].join("\n");
  // 0s would be taken for the image's own, which is long.
  const health = ["--health-interval", "1s", "--health-retries", "1", "--health-start-period", "1ms"];
  const watch = (mounts: readonly string[]): Promise<string> =>
    image.start([...HARDENED, "--tmpfs", "/tmp", ...health, ...mounts], ["run", "--watch", "/backup/plan.yaml"]);
  const inspect = (name: string, format: string): Promise<string> =>
    image.engine.mustDocker(["inspect", "--format", format, name]);
  const healthOf = async (name: string): Promise<string> => {
    const state = (): Promise<string> => inspect(name, "{{.State.Status}} {{.State.Health.Status}}");
    await until("its health is known", async () => (await state()) !== "running starting");
    return state();
  };

  it("is watched, healthy, and ended by SIGTERM", async () => {
    const { mounts } = await makePlace("watch", { files: { "plan.yaml": plan("alice", 'schedule: "@yearly"') } });
    const name = await watch(mounts);
    expect(await healthOf(name)).toBe("running healthy");
    // Because of what the watch says of itself: without that, any container is healthy.
    const text = await image.engine.mustDocker(["exec", name, "cat", "/tmp/backup-health.json"]);
    expect(Date.now() - Date.parse(JSON.parse(text).at)).toBeLessThan(30_000);
    const result = await image.stop(name);
    expect(result).toExit(0);
    expect(result.seconds).toBeLessThan(busy(5));
  });

  it("is watched, and not healthy when an action failed", async () => {
    // With no schedule of its own it runs at the start.
    const text = `${plan("alice", 'schedule: "@yearly"')}${plan("bob").split("\n").slice(1).join("\n")}`;
    const { mounts } = await makePlace("unhealthy", { files: { "plan.yaml": text } });
    const name = await watch(mounts);
    await until("an action failed", async () => (await healthOf(name)) === "running unhealthy");
    expect(await inspect(name, "{{json .State.Health.Log}}")).toMatch(/bob[^"]*failed|failed[^"]*bob/);
    expect(await image.stop(name)).toExit(0);
  });
});

describe("the image", () => {
  const inside = (program: string, ...args: readonly string[]): Promise<Result> =>
    image.run([...HARDENED, "--entrypoint", program], args);
  const inspect = (format: string): Promise<string> =>
    image.engine.mustDocker(["image", "inspect", "--format", format, image.tag]);

  it("says its version, and has the label that says the same", async () => {
    const { version } = JSON.parse(await readFile("packages/cli/package.json", "utf8"));
    expect(await image.run(HARDENED, ["backup", "--version"])).toMatchObject({ code: 0, stdout: `${version}\n` });
    const labels = JSON.parse(await inspect("{{json .Config.Labels}}"));
    expect(labels).toMatchObject({
      "org.opencontainers.image.title": "backup",
      "org.opencontainers.image.version": version,
      "org.opencontainers.image.licenses": "MIT",
    });
  });

  it.each(["bash", "rsync", "tini", "node"])("has %s", async (program) => {
    const result = await inside(program, "--version");
    expect(result).toExit(0);
    expect(result.stdout).toMatch(/\d+\.\d+/);
  });

  it("has the packages that it runs with, and no others", async () => {
    const { stdout } = await inside("find", MODULES, "-maxdepth", "3", "-name", "package.json");
    const lock = JSON.parse(await readFile("package-lock.json", "utf8"));
    const found = stdout.split("\n").filter((line) => line !== "");
    const names = found.map((line) => `node_modules${line.slice(MODULES.length, -"/package.json".length)}`);
    const packages = names.filter((name) => name in lock.packages);
    expect(packages).toContain("node_modules/imapflow");
    expect(packages.filter((name) => lock.packages[name].dev === true)).toEqual([]);
  });

  it("has neither sources nor tests nor anything that not everybody may read", async () => {
    const top = "/usr/local/lib/backup";
    const { stdout } = await inside("find", `${top}/packages`, "-mindepth", "2", "-maxdepth", "2");
    const names = stdout.split("\n").map((line) => line.split("/").at(-1));
    expect(names).toContain("dist");
    expect(names.filter((name) => ["src", "test", "tsconfig.json"].includes(name ?? ""))).toEqual([]);
    const private_ = await inside("find", top, "-not", "-perm", "-o=r", "-o", "-perm", "/022", "-not", "-type", "l");
    expect(private_).toMatchObject({ code: 0, stdout: "" });
  });

  it("is small", async () => {
    const format = "{{.Size}} {{.CreatedBy}}";
    const history = await image.engine.mustDocker([
      "history",
      "--no-trunc",
      "--human=false",
      "--format",
      format,
      image.tag,
    ]);
    const own = history.split("\n").filter((line) => /apt-get install|COPY \/src/.test(line));
    expect(own).toHaveLength(2);
    const sizes = own.map((line) => Number(line.split(" ")[0]));
    expect(Math.min(...sizes)).toBeGreaterThan(0);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(LARGEST);
  });
});
