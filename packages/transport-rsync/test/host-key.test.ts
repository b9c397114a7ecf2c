import { execFile } from "node:child_process";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { type KeyType, type Sshd, startSshd } from "../../../test/support/sshd.js";
import { LIBRARIES, makeWorld } from "./support/host-world.js";

const run = promisify(execFile);
const OTHER = `SHA256:${"A".repeat(43)}`;

describe.each(LIBRARIES)("%s", (library) => {
  const started = async (hostKeyTypes: readonly KeyType[] = ["ed25519"]) => {
    const sshd = await startSshd({ hostKeyTypes });
    return { sshd, world: await makeWorld(sshd, library), [Symbol.asyncDispose]: () => sshd[Symbol.asyncDispose]() };
  };
  const fingerprint = (sshd: Sshd, index = 0): string => sshd.hostKeys[index]?.fingerprint ?? "none";

  test("is pinned at the first contact, and the warning says so once", async () => {
    await using it = await started();
    const { sshd, world } = it;
    const knownHosts = join(world.secrets, "new", "known_hosts");
    for (const _time of [1, 2]) await (await world.connect({ knownHosts }))[Symbol.asyncDispose]();
    expect(world.events).toMatchObject([{ type: "warning", code: "HOST_KEY_PINNED" }]);
    expect(JSON.stringify(world.events)).toContain(`ssh-ed25519 ${fingerprint(sshd)} is now pinned in ${knownHosts}`);
    expect((await stat(knownHosts)).mode & 0o777).toBe(0o600);
    await sshd.restart({ newHostKeys: true });
    expect(await world.failure({ knownHosts })).toMatchObject({ code: "HOST_KEY_CHANGED" });
  });

  test("known_hosts of the secrets' directory is used, what it has stays", async () => {
    await using it = await started();
    const { world, sshd } = it;
    const file = join(world.secrets, "known_hosts");
    await writeFile(file, "# no line end");
    await (await world.connect({ knownHosts: undefined }))[Symbol.asyncDispose]();
    const [comment, line, rest] = (await readFile(file, "utf8")).split("\n");
    expect([comment, rest]).toEqual(["# no line end", ""]);
    expect(line).toContain(sshd.hostKeys[0]?.line);
  });

  test("a changed key is refused, with both fingerprints", async () => {
    await using it = await started();
    const { sshd, world } = it;
    const before = fingerprint(sshd);
    await sshd.restart({ newHostKeys: true });
    const error = await world.failure();
    expect(error.code).toBe("HOST_KEY_CHANGED");
    for (const part of [before, fingerprint(sshd), `${sshd.knownHosts} line 1`]) expect(error.message).toContain(part);
    expect(sshd.log()).not.toContain("publickey");
    expect(await world.leftovers()).toEqual([]);
  });

  test("a key of another type than the pinned ones is refused", async () => {
    await using it = await started(["rsa"]);
    await using other = await startSshd();
    const line = other.hostKeys[0]?.line;
    await writeFile(it.sshd.knownHosts, `[127.0.0.1]:${it.sshd.port} ${line}\n`);
    const error = await it.world.failure();
    expect(error.code).toBe("HOST_KEY_CHANGED");
    expect(error.message).toContain(fingerprint(other));
    expect(it.sshd.log()).not.toContain("publickey");
  });

  test.each(["ed25519", "rsa", "ecdsa"] as const)("of several keys the pinned %s one is asked for", async (type) => {
    const types = ["ed25519", "rsa", "ecdsa"] as const;
    await using it = await started(types);
    const { sshd, world } = it;
    await writeFile(sshd.knownHosts, `[127.0.0.1]:${sshd.port} ${sshd.hostKeys[types.indexOf(type)]?.line}\n`);
    await run("ssh-keygen", ["-H", "-f", sshd.knownHosts]);
    await rm(`${sshd.knownHosts}.old`);
    await (await world.connect())[Symbol.asyncDispose]();
    expect(world.events).toEqual([]);
  });

  test("a revoked key is refused", async () => {
    await using it = await started();
    const { sshd, world } = it;
    await writeFile(sshd.knownHosts, `@revoked * ${sshd.hostKeys[0]?.line}\n`);
    expect(await world.failure()).toMatchObject({ code: "HOST_KEY_CHANGED" });
  });

  test("the right fingerprint is pinned, also that of a second key", async () => {
    await using it = await started(["ed25519", "rsa"]);
    const { sshd, world } = it;
    for (const index of [0, 1]) {
      const knownHosts = join(world.secrets, `known_${index}`);
      const hostKeyFingerprint = fingerprint(sshd, index);
      await (await world.connect({ knownHosts, hostKeyFingerprint }))[Symbol.asyncDispose]();
      expect(await readFile(knownHosts, "utf8")).toBe(`[127.0.0.1]:${sshd.port} ${sshd.hostKeys[index]?.line}\n`);
      await (await world.connect({ knownHosts, hostKeyFingerprint }))[Symbol.asyncDispose]();
    }
    expect(world.events).toHaveLength(2);
  });

  test("a wrong fingerprint is refused before anything is authenticated", async () => {
    await using it = await started();
    const { sshd, world } = it;
    const knownHosts = join(world.secrets, "new");
    for (const file of [knownHosts, sshd.knownHosts]) {
      const error = await world.failure({ knownHosts: file, hostKeyFingerprint: OTHER });
      expect(error.code).toBe("HOST_KEY_CHANGED");
      expect(error.message).toContain(OTHER);
      expect(error.message).toContain(fingerprint(sshd));
    }
    expect(sshd.log()).not.toContain("publickey");
    expect(await world.failure({ hostKeyFingerprint: "MD5:00" })).toMatchObject({ code: "USAGE" });
    expect(await world.leftovers()).toEqual([]);
  });

  test("where nothing can be pinned only a fingerprint helps", async () => {
    await using it = await started();
    const { sshd, world } = it;
    const knownHosts = join(sshd.identity, "known_hosts");
    const error = await world.failure({ knownHosts });
    expect(error.code).toBe("HOST_KEY_UNKNOWN");
    expect(error.message).toContain(fingerprint(sshd));
    expect(sshd.log()).not.toContain("publickey");
    await (await world.connect({ knownHosts, hostKeyFingerprint: fingerprint(sshd) }))[Symbol.asyncDispose]();
  });
});
