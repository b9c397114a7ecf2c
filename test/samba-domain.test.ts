import { mkdir, readdir, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Result, eventsOf, reportOf, runBackup } from "./support/command.js";
import { runProgram } from "./support/run-program.js";
import { newSamba } from "./support/samba.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

let home: TemporaryDirectory;
/** An AD domain controller as it is provisioned; nothing of it runs. */
let directory: string;
let smbConf: string;

beforeAll(async () => {
  home = await temporaryDirectory();
  directory = join(home.path, "dc1");
  smbConf = join(directory, "etc/smb.conf");
  const domain = [
    "--realm=EXAMPLE.TEST",
    "--domain=EXAMPLE",
    "--adminpass=Passw0rd.of.admin",
    "--dns-backend=SAMBA_INTERNAL",
  ];
  const host = ["--host-name=dc1", "--host-ip=127.0.0.1"];
  await tool("domain", "provision", "--server-role=dc", `--targetdir=${directory}`, ...domain, ...host);
}, 240_000);
afterAll(async () => {
  await home?.[Symbol.asyncDispose]();
});

async function tool(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram("samba-tool", args);
  if (code !== 0) throw new Error(`samba-tool ${args.join(" ")} fails: ${stdout}${stderr}`);
  return stdout;
}

const users = async (at: string): Promise<readonly string[]> =>
  (await tool("user", "list", "-H", join(at, "private/sam.ldb"), "-s", join(at, "etc/smb.conf")))
    .trim()
    .split("\n")
    .toSorted();

let number = 0;
const place = (): string => join(home.path, `place-${number++}`);

const backup = (dest: string, more: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Result> =>
  runBackup(["samba", dest, `--smb-conf=${smbConf}`, "--json", ...more], env);

const failures = (result: Result): readonly string[] =>
  eventsOf(result).flatMap((event) => (event.type === "failed" ? [event.message] : []));

const archiveIn = async (dest: string): Promise<readonly string[]> => await readdir(join(dest, "domain"));

it("brings the archive of a domain when something of it has changed, and a new controller is made of that", {
  timeout: 240_000,
}, async () => {
  const dest = place();
  const first = await backup(dest);
  expect(failures(first)).toEqual([]);
  expect(first.code).toBe(0);
  const [archive = "", ...more] = await archiveIn(dest);
  expect(archive).toMatch(/^domain-backup\.D[a-z2-7]{26}\.tar\.bz2$/);
  expect(more).toEqual([]);
  expect((await stat(join(dest, "domain", archive))).mode & 0o777).toBe(0o600);
  await expect(stat(join(dest, "private"))).rejects.toThrow("ENOENT");

  expect(reportOf(await backup(dest))).toMatchObject({ result: "done", added: 0, removed: 0 });
  expect(await archiveIn(dest)).toEqual([archive]);

  await tool("user", "create", "alice", "Passw0rd.of.alice", "-H", join(directory, "private/sam.ldb"), "-s", smbConf);
  expect(reportOf(await backup(dest))).toMatchObject({ result: "done", added: 1, removed: 0 });
  expect(await archiveIn(dest)).not.toEqual([archive]);

  const system = await runBackup(["restore", "samba", dest, "/"]);
  expect(system.code).toBe(2);
  expect(system.stderr).toMatch(/of a domain controller, which samba-tool restores into an empty directory/);
  const target = place();
  expect((await runBackup(["restore", "samba", dest, target])).code).toBe(0);
  const restored = place();
  const file = join(target, "samba-backup/domain-backup.tar.bz2");
  const options = ["--newservername=dc2", `--targetdir=${restored}`, "--host-ip=127.0.0.1"];
  await tool("domain", "backup", "restore", `--backup-file=${file}`, ...options);
  expect(await users(restored)).toEqual(["Administrator", "Guest", "alice", "krbtgt"]);
});

it("brings the databases instead where that is asked for", async () => {
  const dest = place();
  expect((await backup(dest, ["--domain-backup=no"])).code).toBe(0);
  expect((await readdir(dest)).toSorted()).toEqual([".backup", "files", "private", "settings", "state"]);
});

it("is one line where samba-tool is missing, or where there is no domain; the rest is there", async () => {
  const bin = place();
  await mkdir(bin);
  for (const program of ["sh", "cat", "find", "testparm", "sharesec"])
    await symlink(`/usr/bin/${program}`, join(bin, program));
  const missing = place();
  const result = await backup(missing, [], { PATH: bin });
  expect(result.code).toBe(3);
  expect(failures(result)).toEqual([
    expect.stringMatching(/^this machine has no samba-tool, .* install it, or say --domain-backup no$/),
  ]);
  expect(await archiveIn(missing)).toEqual([]);
  expect((await readdir(missing)).toSorted()).toEqual([".backup", "domain", "files", "settings"]);

  const plain = place();
  await mkdir(plain);
  const samba = await newSamba(plain, () => ({ "etc/smb.conf": "" }));
  const none = await runBackup(["samba", place(), `--smb-conf=${samba.smbConf}`, "--domain-backup=yes", "--json"]);
  expect(none.code).toBe(3);
  expect(failures(none)).toEqual([
    expect.stringMatching(/^samba-tool domain backup on this machine, whose role is standalone server, fails: .+/),
  ]);
});
