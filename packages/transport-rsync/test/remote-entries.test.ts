import { lutimes, mkdir, symlink, utimes, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Sshd, startSshd } from "../../../test/support/sshd.js";
import { remoteDigests, remoteEntries } from "../src/remote-entries.js";
import { remotePosition } from "../src/remote-position.js";

let sshd: Sshd;
beforeAll(async () => {
  sshd = await startSshd();
});
afterAll(async () => await sshd?.[Symbol.asyncDispose]());

const never = new AbortController().signal;
const reach = (directory: string) => {
  const known = `-oUserKnownHostsFile=${sshd.knownHosts}`;
  const args = ["-F", "/dev/null", "-p", `${sshd.port}`, "-i", sshd.identity, known];
  return { directory, shell: { program: "ssh", args, target: `${sshd.user}@${sshd.host}`, env: {} } };
};
const raw = (name: string): string => Buffer.from(name).toString("latin1");
const here = (name: string): Buffer => Buffer.concat([Buffer.from(`${sshd.path}/`), Buffer.from(name, "latin1")]);

it("says what entries at a host are, whatever they are called", async () => {
  // The second one says of itself what the first one is.
  const file = "nl\nname";
  const names = [file, "81a4 3 1600000000 2020-09-13 12:26:40.5 +0000/nl", "-dash", "inv\xff\xfe", raw("é ü"), "star*"];
  for (const [index, name] of names.entries()) {
    await mkdir(here(name.replace(/[^/]*$/, ".")), { recursive: true });
    await writeFile(here(name), "x".repeat(index), { mode: 0o640 });
    await mkdir(here("d"), { recursive: true });
    await utimes(here(name), 1_600_000_000.5, 1_600_000_000.25);
  }
  await symlink("to\nwhere ", here("link"));
  await lutimes(here("link"), 1, 1);
  await utimes(here("d"), new Date(-5000), new Date(-5000));
  const paths = ["missing", ...names, "d", "no/where", "link"];
  const query = { reach: reach(sshd.remotePath), paths };
  const found = await remoteEntries(query, never);
  expect([...found.keys()]).toEqual([...names, "d", "link"]);
  for (const [index, name] of names.entries())
    expect(found.get(name)).toEqual({ type: "file", mode: 0o640, size: index, mtime: 1_600_000_000_250_000_000n });
  expect(found.get("d")).toMatchObject({ type: "dir", size: 0, mtime: -5_000_000_000n });
  expect(found.get("link")).toMatchObject({ type: "link", target: "to\nwhere ", mtime: 1_000_000_000n });
  const digests = await remoteDigests(query, never);
  expect([...digests.keys()]).toEqual(names);
  for (const [index, name] of names.entries())
    expect(digests.get(name)).toEqual(createHash("sha256").update("x".repeat(index)).digest());
});

it("says where a directory is, also one that is not there yet", async () => {
  await mkdir(`${sshd.path}/outer/.backup`, { recursive: true });
  await writeFile(`${sshd.path}/outer/.backup/checkpoint.json`, "{}");
  await mkdir(`${sshd.path}/outer/inner`);
  await symlink("outer", `${sshd.path}/alias`);
  const position = await remotePosition(reach(`${sshd.remotePath}/alias/inner/`), never);
  const missing = await remotePosition(reach(`${sshd.remotePath}/alias/inner/not/yet`), never);
  expect(position?.isThere).toBe(true);
  expect(missing).toEqual({ ...position, isThere: false });
  const paths = position?.directories.map(({ path, isBackup }) => `${path} ${isBackup}`) ?? [];
  expect(paths.slice(0, 2)).toEqual([`${sshd.remotePath}/outer/inner false`, `${sshd.remotePath}/outer true`]);
  expect(paths.at(-1)).toBe("/ false");
  expect((await remotePosition(reach(""), never))?.isThere).toBe(true);
});
