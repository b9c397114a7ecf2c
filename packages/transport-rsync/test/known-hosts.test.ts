import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { describeKey } from "../src/host-key.js";
import { appendKnownHost, describePinned, knownName, parseKnownHosts, pinnedKeys } from "../src/known-hosts.js";

const run = promisify(execFile);
const KEY = "AAAAC3NzaC1lZDI1NTE5AAAAINOm/tCVCu1dh4Z5XSXCP9k1nuKuNhO4Tu72k3YIpBll";

const found = (hosts: string, name: string): boolean =>
  parseKnownHosts(`${hosts} ssh-ed25519 ${KEY} comment\n`, name, "file").length === 1;

test.each([
  ["nas", "nas", true],
  ["NAS", "nas", true],
  ["nas,10.0.0.1", "10.0.0.1", true],
  ["nas", "nas2", false],
  ["*.example.org", "a.example.org", true],
  ["*.example.org", "example.org", false],
  ["n?s", "nas", true],
  ["a.b", "axb", false],
  ["*,!nas", "nas", false],
  ["!other,*", "nas", true],
  ["!nas", "other", false],
  ["[nas]:2222", "[nas]:2222", true],
  ["nas", "[nas]:2222", false],
  ["[*]:2222", "[nas]:2222", true],
  ["#nas", "nas", false],
  ["@cert-authority *", "nas", false],
  ["|1|xx|yy", "nas", false],
])("%s has %s: %s", (hosts, name, expected) => {
  expect(found(hosts, name)).toBe(expected);
});

test("names of hosts", () => {
  expect([knownName("NAS", 22), knownName("::1", 2222)]).toEqual(["nas", "[::1]:2222"]);
});

test("hashed names, as ssh-keygen writes them; revoked keys are marked; fingerprints are ssh-keygen's", async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, "known_hosts");
  await writeFile(file, `[nas]:2222,nas ssh-ed25519 ${KEY}\r\n`);
  await run("ssh-keygen", ["-H", "-f", file]);
  expect(await readFile(file, "utf8")).not.toContain("nas");
  for (const name of ["nas", "[nas]:2222"]) {
    const [pinned] = await pinnedKeys([file, join(file, "none"), join(directory.path, "none")], name);
    const { stdout } = await run("ssh-keygen", ["-l", "-F", name, "-f", file]);
    expect(stdout).toContain(pinned && describeKey(pinned.key).split(" ")[1]);
  }
  const revoked = parseKnownHosts(`\n@revoked * ssh-ed25519 ${KEY}`, "nas", "file");
  expect(revoked).toMatchObject([{ revoked: true, line: 2 }]);
  expect(describePinned(revoked)).toMatch(/^ssh-ed25519 SHA256:\S{43} \(file line 2\)$/);
});

test("lines that are appended at once all arrive, after a last line with no end too", async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, "new", "known_hosts");
  const key = Buffer.from(KEY, "base64");
  await appendKnownHost(file, "first", key, "ssh-ed25519");
  await writeFile(file, (await readFile(file, "utf8")).trimEnd());
  await appendKnownHost(file, "second", key, "ssh-ed25519");
  const hosts = Array.from({ length: 20 }, (_, index) => `host${index}`);
  await Promise.all(hosts.map((host) => appendKnownHost(file, host, key, "ssh-ed25519")));
  for (const host of ["first", "second", ...hosts]) expect(await pinnedKeys([file], host)).toHaveLength(1);
});
