import { chmod, chown, mkdir, readFile, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Result, eventsOf, reportOf, runBackup } from "./support/command.js";
import { runProgram } from "./support/run-program.js";
import { type Samba, newSamba, sambaAt } from "./support/samba.js";
import { type Sshd, startSshd } from "./support/sshd.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

const MAIN = fileURLToPath(new URL("../packages/cli/bin/backup.js", import.meta.url));

let home: TemporaryDirectory;
let samba: Samba;
let sshd: Sshd;

beforeAll(async () => {
  home = await temporaryDirectory();
  await chmod(home.path, 0o755);
  sshd = await startSshd();
  samba = await fullSamba(join(home.path, "samba"));
  await samba.start();
});
afterAll(async () => {
  await samba?.[Symbol.asyncDispose]();
  await sshd?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
});

/** Shares in the file, in files that it includes, in the registry and of a user; three users; one share with an ACL. */
async function fullSamba(directory: string): Promise<Samba> {
  await mkdir(directory);
  const made = await newSamba(directory, (at) => ({
    "etc/smb.conf": `
include = ${at("etc/shares/all.conf")}
[open]
path = ${at("data")}
read only = no
include = ${at("etc/open for %m.conf")}
[guarded]
path = ${at("data")}
read only = no
[global]
include = registry
`,
    "etc/shares/all.conf": `[roots]\npath = ${at("data")}\nvalid users = root\ninclude = ${at("etc/shares/more.conf")}\n`,
    "etc/shares/more.conf": "comment = root's alone\n",
    "etc/open for pc1.conf": "comment = for pc1\n",
    "state/usershares/mine": `#VERSION 2\npath=${at("data")}\ncomment=\nusershare_acl=S-1-1-0:F\nguest_ok=n\nsharename=mine\n`,
  }));
  await chmod(join(directory, "data"), 0o777);
  await chmod(join(directory, "state/usershares"), 0o1770);
  for (const user of ["root", "daemon", "games"]) await made.setPassword(user, `secret of ${user}`);
  await made.tool(
    "net",
    "conf",
    "addshare",
    "registered",
    join(directory, "data"),
    "writeable=y",
    "guest_ok=n",
    "from the registry",
  );
  await made.tool("sharesec", "guarded", "-R", "S-1-1-0:ALLOWED/0x0/READ");
  return made;
}

let number = 0;
const place = (): string => join(home.path, `place-${number++}`);

const backup = (dest: string, ...more: readonly string[]): Promise<Result> =>
  runBackup(["samba", dest, `--smb-conf=${samba.smbConf}`, "--json", ...more]);

/** What failed, in words. */
const failures = (result: Result): readonly string[] =>
  eventsOf(result).flatMap((event) => (event.type === "failed" ? [event.message] : []));

/** Files of a backup, without what its runs note. */
async function filesOf(dest: string): Promise<readonly string[]> {
  const entries = await readdir(dest, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dest.length + 1))
    .filter((path) => !path.startsWith(".backup/"))
    .toSorted();
}

/** As they are called there. */
const namesOf = (files: readonly string[]): readonly string[] =>
  files.map((file) => file.replace(/\.D[a-z2-7]{26}/, ""));

/** What users can see and do. */
async function seen({ client }: Samba): Promise<Readonly<Record<string, unknown>>> {
  const login = (user: string) => ({ user, password: `secret of ${user}` });
  const list = await client(login("root"));
  const shares = list.stdout.split("\n").filter((line) => line.startsWith("Disk|"));
  const can: Record<string, "nothing" | "read" | "write"> = {};
  for (const share of ["open", "guarded", "roots", "registered", "mine"])
    for (const user of ["root", "games"]) {
      const name = `${user}-${share}`;
      // Its exit status is that of the last command.
      const { stdout } = await client({ ...login(user), share, commands: `ls; mkdir ${name}; rmdir ${name}` });
      can[name] = !/blocks available/.test(stdout) ? "nothing" : /NT_STATUS/.test(stdout) ? "read" : "write";
    }
  const wrong = await client({ user: "daemon", password: "another", share: "open" });
  const right = await client({ ...login("daemon"), share: "open" });
  return { shares: shares.toSorted(), can, wrong: wrong.code, right: right.code };
}

describe("backup samba", () => {
  it("brings the configuration, what it includes, the registry, the databases and the ACLs, for nobody else to read", async () => {
    const dest = place();
    const result = await backup(dest);
    expect(failures(result)).toEqual([]);
    expect(result.code).toBe(0);
    const files = await filesOf(dest);
    const etc = `files${samba.directory}/etc`;
    expect(namesOf(files)).toEqual(
      [
        `${etc}/open for pc1.conf`,
        `${etc}/shares/all.conf`,
        `${etc}/shares/more.conf`,
        `${etc}/smb.conf`,
        `files${samba.stateDirectory}/usershares/mine`,
        "private/passdb.tdb",
        "private/secrets.tdb",
        "settings/registry.conf",
        "settings/samba.json",
        "settings/share-acls.txt",
        "settings/testparm.txt",
        "state/account_policy.tdb",
        "state/group_mapping.tdb",
        "state/registry.tdb",
        "state/share_info.tdb",
      ].toSorted(),
    );
    for (const file of files) expect((await stat(join(dest, file))).mode & 0o777, file).toBe(0o600);
    const text = async (name: string) => readFile(join(dest, files[namesOf(files).indexOf(name)] ?? ""), "utf8");
    expect(await text(`${etc}/smb.conf`)).toBe(await readFile(samba.smbConf, "utf8"));
    expect(await text("settings/registry.conf")).toContain("from the registry");
    expect(await text("settings/share-acls.txt")).toMatch(/\[guarded\][^[]*ACL:S-1-1-0:ALLOWED\/0x0\/READ\n/);
    expect(await text("settings/testparm.txt")).toMatch(/\[roots\]\n(?:\t.*\n)*\tvalid users = root\n/);
  });

  it("is verified, listed and planned as what else is backed up, and counts files", async () => {
    const dest = place();
    const plan = `${dest}.yaml`;
    const action = { type: "samba", destination: dest, "smb-conf": samba.smbConf };
    await writeFile(plan, JSON.stringify({ actions: [action] }));
    const ran = await runBackup(["run", plan]);
    expect(ran.code).toBe(0);
    const verified = await runBackup(["verify", dest]);
    expect(verified.code).toBe(0);
    expect(verified.stdout).toMatch(/^15 files, .*: all as their names say$/m);
    expect((await runBackup(["ls", dest])).stdout).toMatch(/^ +2 +2 .* private$/m);
    const plain = await runBackup(["samba", dest, `--smb-conf=${samba.smbConf}`]);
    expect(plain.stdout).toMatch(/^done: 15 files, 0 new or changed/m);
  });

  it("leaves nothing behind in Samba's directories", async () => {
    const before = await readdir(samba.directory, { recursive: true });
    expect((await backup(place())).code).toBe(0);
    expect(await readdir(samba.directory, { recursive: true })).toEqual(before);
  });

  it("finds nothing changed when Samba was used and started again, and brings one file when a password is another", async () => {
    const dest = place();
    expect((await backup(dest)).code).toBe(0);
    const files = await filesOf(dest);
    await seen(samba);
    await samba.stop();
    await samba.start();
    const again = await backup(dest);
    expect(reportOf(again)).toMatchObject({ result: "done", added: 0, removed: 0, bytes: 0 });
    expect(await filesOf(dest)).toEqual(files);

    await samba.setPassword("daemon", "changed");
    try {
      expect(reportOf(await backup(dest))).toMatchObject({ result: "done", added: 1, removed: 0 });
      const changed = (await filesOf(dest)).filter((file) => !files.includes(file));
      expect(namesOf(changed)).toEqual(["private/passdb.tdb"]);
    } finally {
      await samba.setPassword("daemon", "secret of daemon");
    }
  });
});

describe("backup samba of a host", () => {
  it("brings by ssh what a backup on that host has, byte for byte", async () => {
    const [here, there] = [place(), place()];
    expect((await backup(here)).code).toBe(0);
    const result = await overSsh(there);
    expect(failures(result)).toEqual([]);
    expect(result.code).toBe(0);
    expect(await filesOf(there)).toEqual(await filesOf(here));
    expect(reportOf(await overSsh(there))).toMatchObject({ result: "done", added: 0, removed: 0 });
  });

  it("says so when the account may run no programs, and when its host's key is another one", async () => {
    await using jailed = await startSshd({ keyCommand: () => "/usr/lib/openssh/sftp-server" });
    const refused = await overSsh(place(), jailed);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("does not let this account run programs");
    await jailed.restart({ newHostKeys: true });
    const changed = await overSsh(place(), jailed);
    expect(changed.code).toBe(1);
    expect(changed.stderr).toMatch(/key/);
  });
});

const overSsh = (dest: string, host: Sshd = sshd): Promise<Result> =>
  runBackup([
    "samba",
    `${host.user}@${host.host}:`,
    dest,
    `--smb-conf=${samba.smbConf}`,
    "--json",
    `--srcsecret=${host.identity}`,
    `--ssh-port=${host.port}`,
    `--known-hosts=${host.knownHosts}`,
  ]);

describe("what a backup of Samba does without", () => {
  it("is one line for each file, and one for all databases, that only root may read; the rest is there", async () => {
    const directory = place();
    await mkdir(directory);
    const files = { "etc/smb.conf": "", "etc/for pc1.conf": "", "state/usershares/mine": "" };
    const plain = await newSamba(directory, (at) => ({
      ...files,
      "etc/smb.conf": `include = ${at("etc/for %m.conf")}\n`,
    }));
    await plain.setPassword("root", "secret");
    await plain.tool("net", "conf", "listshares");
    const [guarded, closed] = [join(directory, "etc/for pc1.conf"), join(directory, "state/usershares")];
    await chmod(guarded, 0o600);
    await chmod(closed, 0o700);
    const { result, dest } = await asNobody(plain);
    expect(failures(result)).toEqual([
      expect.stringMatching(`^${guarded} on this machine cannot be read: cat: .*: Permission denied$`),
      expect.stringMatching(`^${closed} on this machine cannot be listed: find: .*: Permission denied$`),
      expect.stringMatching(
        `^root alone may copy ${plain.privateDirectory}, .*/registry.tdb on this machine, and nobody asks: not in this backup; run as root`,
      ),
    ]);
    expect(result.code).toBe(3);
    expect(namesOf(await filesOf(dest))).toEqual([
      `files${plain.smbConf}`,
      "settings/samba.json",
      "settings/testparm.txt",
    ]);
  });

  it("is all but the files for whoever may not read a registry that is part of the configuration", async () => {
    const { result } = await asNobody(samba);
    expect(result.code).toBe(3);
    expect(failures(result)).toEqual([
      expect.stringMatching(/^testparm on this machine refuses .*WERR_ACCESS_DENIED.*root may do more$/),
    ]);
  });

  it("is one line for tdbbackup where that is missing, and what a complete backup has brought stays", async () => {
    const dest = place();
    expect((await backup(dest)).code).toBe(0);
    const files = await filesOf(dest);
    const result = await withPrograms(["testparm", "net", "sharesec", ...SMALL], dest);
    expect(result.code).toBe(3);
    expect(failures(result)).toEqual([
      expect.stringMatching(/^this machine has no tdbbackup, and so passdb\.tdb, .* install the package tdb-tools$/),
    ]);
    expect(await filesOf(dest)).toEqual(files);
  });

  it("is one line for each program that fails, and each database that is damaged", async () => {
    const dest = place();
    const damaged = join(samba.stateDirectory, "damaged.tdb");
    await writeFile(damaged, "no database at all");
    const result = await withPrograms(["testparm", "tdbbackup", ...SMALL], dest);
    await rm(damaged);
    expect(result.code).toBe(3);
    expect(failures(result)).toEqual([
      expect.stringMatching(/^net conf list on this machine fails: .*net/),
      expect.stringMatching(/^sharesec --view-all on this machine fails: .*sharesec/),
      expect.stringMatching(`^${damaged} on this machine cannot be copied by tdbbackup: Failed to open`),
    ]);
    const names = namesOf(await filesOf(dest));
    expect(names).toContain("private/passdb.tdb");
    expect(names).not.toContain("state/damaged.tdb");
  });

  it("is all but the files where the configuration cannot be loaded", async () => {
    const directory = place();
    await mkdir(directory);
    const file = join(directory, "smb.conf");
    await writeFile(file, "[share]\ninclude = registry\n");
    const dest = place();
    const result = await runBackup(["samba", dest, `--smb-conf=${file}`, "--json"]);
    expect(result.code).toBe(3);
    expect(failures(result)).toEqual([
      expect.stringMatching(`testparm on this machine refuses ${file} \\(.*registry.*correct it`),
    ]);
    expect(namesOf(await filesOf(dest))).toEqual([`files${file}`]);
  });

  it("is everything where there is no configuration or no Samba: an error, and no trace of a destination", async () => {
    const dest = place();
    const none = await runBackup(["samba", dest, "--smb-conf=/nowhere/smb.conf"]);
    expect(none.code).toBe(1);
    expect(none.stderr).toMatch(/there is no \/nowhere\/smb\.conf on this machine; --smb-conf names/);
    const absent = await withPrograms(SMALL, dest);
    expect(absent.code).toBe(1);
    expect(absent.stderr).toMatch(/there is no testparm on this machine: Samba is not there/);
    await expect(stat(dest)).rejects.toThrow("ENOENT");
  });

  it.each([
    [["samba", "nas", "x"], /SOURCE is a host with a colon/],
    [["samba", "nas:etc", "x"], /SOURCE is a host with a colon/],
    [["samba", "nas:", "vault:x"], /both on other hosts/],
    [["samba", "x", "--smb-conf=smb.conf"], /--smb-conf takes an absolute path/],
    [["samba", "x", "--domain-backup=maybe"], /domain-backup/],
    [["samba"], /DEST/i],
  ])("is nothing where the words are wrong: %s", async (args, message) => {
    const result = await runBackup(args);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(message);
  });
});

/** Programs that every system has. */
const SMALL = ["sh", "cat", "find", "mktemp", "ln", "rm", "id"];

/** A backup where these programs are on the PATH and no others. */
async function withPrograms(programs: readonly string[], dest: string): Promise<Result> {
  const bin = place();
  await mkdir(bin);
  for (const program of programs) await symlink(`/usr/bin/${program}`, join(bin, program));
  return await runBackup(["samba", dest, `--smb-conf=${samba.smbConf}`, "--json"], { PATH: bin });
}

async function asNobody({ smbConf }: Samba) {
  const dest = place();
  await mkdir(dest);
  await chown(dest, 65534, 65534);
  const who = ["--reuid=65534", "--regid=65534", "--clear-groups"];
  const command = [process.execPath, MAIN, "samba", dest, `--smb-conf=${smbConf}`, "--json"];
  const ended = await runProgram("setpriv", [...who, ...command], { PATH: process.env.PATH, HOME: "/nonexistent" });
  return { dest, result: { ...ended, signal: null } };
}

describe("backup restore samba", () => {
  it("brings a lost Samba back: the same shares, users, passwords and rights", { timeout: 240_000 }, async () => {
    await using lost = await fullSamba(place());
    await lost.start();
    const before = await seen(lost);
    expect(before).toEqual({
      shares: ["guarded", "mine", "open", "registered", "roots"].map((share) =>
        expect.stringContaining(`Disk|${share}|`),
      ),
      can: {
        "root-open": "write",
        "games-open": "write",
        "root-guarded": "read",
        "games-guarded": "read",
        "root-roots": "read",
        "games-roots": "nothing",
        "root-registered": "write",
        "games-registered": "write",
        "root-mine": "write",
        "games-mine": "write",
      },
      wrong: 1,
      right: 0,
    });
    const dest = place();
    const options = [`--smb-conf=${lost.smbConf}`];
    expect((await runBackup(["samba", dest, ...options])).code).toBe(0);
    const running = await runBackup(["restore", "samba", dest, "/", "--overwrite"]);
    expect(running.code).toBe(2);
    expect(running.stderr).toMatch(/smbd runs \(process \d+\), .* stop Samba first/);
    await lost.stop();
    await rename(lost.directory, `${lost.directory}-lost`);

    const restored = await runBackup(["restore", "samba", dest, "/"]);
    expect(restored.stderr).toBe("");
    expect(restored.code).toBe(0);
    const modes = await Promise.all(
      ["etc/smb.conf", "private", "private/passdb.tdb", "state/usershares"].map(async (name) =>
        ((await stat(join(lost.directory, name))).mode & 0o7777).toString(8),
      ),
    );
    expect(modes).toEqual(["644", "700", "600", "1770"]);
    await using back = await sambaAt({ directory: lost.directory, port: lost.port });
    await chmod(join(back.directory, "data"), 0o777);
    await back.start();
    expect(await seen(back)).toEqual(before);
  });

  it("brings it to a directory to be looked at, and does nothing twice", async () => {
    const [dest, target] = [place(), place()];
    expect((await backup(dest)).code).toBe(0);
    const dry = await restore(dest, target, "--dry-run");
    expect(dry.code).toBe(0);
    await expect(stat(target)).rejects.toThrow("ENOENT");
    expect((await restore(dest, target)).code).toBe(0);
    const expected = namesOf(await filesOf(dest)).map((name) =>
      name
        .replace(/^files\//, "")
        .replace(/^settings/, "samba-backup")
        .replace(/^private/, samba.privateDirectory.slice(1))
        .replace(/^state/, samba.stateDirectory.slice(1)),
    );
    expect(await filesOf(target)).toEqual(expected.toSorted());
    expect(await readFile(join(target, samba.smbConf))).toEqual(await readFile(samba.smbConf));
    const again = eventsOf(await restore(dest, target)).at(-1);
    expect(again).toMatchObject({
      type: "restored",
      report: { result: "done", restored: 0, present: expected.length },
    });
  });

  it("overwrites nothing that is another one, unless it is told to", async () => {
    const [dest, target] = [place(), place()];
    expect((await backup(dest)).code).toBe(0);
    const mine = join(target, samba.smbConf);
    await mkdir(join(mine, ".."), { recursive: true });
    await writeFile(mine, "[global]\n");
    const refused = await restore(dest, target);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(
      `there is another ${mine}; nothing was restored: --overwrite replaces what is there`,
    );
    expect(await filesOf(target)).toEqual([mine.slice(target.length + 1)]);
    expect((await restore(dest, target, "--overwrite")).code).toBe(0);
    expect(await readFile(mine, "utf8")).toBe(await readFile(samba.smbConf, "utf8"));
  });

  it("takes other directories for the databases, and leaves out what is damaged in the backup", async () => {
    const [dest, target] = [place(), place()];
    expect((await backup(dest)).code).toBe(0);
    const secrets = (await filesOf(dest)).find((file) => file.startsWith("private/secrets"));
    await writeFile(join(dest, secrets ?? ""), "damaged");
    const result = await restore(dest, target, "--private-dir=/etc/samba/private", "--state-dir=/var/db/samba");
    expect(result.code).toBe(3);
    expect(failures(result)).toEqual([
      expect.stringContaining("is damaged in the backup; etc/samba/private/secrets.tdb was not restored"),
    ]);
    const files = await filesOf(target);
    expect(files).toContain("etc/samba/private/passdb.tdb");
    expect(files).toContain("var/db/samba/share_info.tdb");
    expect(files).not.toContain("etc/samba/private/secrets.tdb");
  });

  it("follows no link out of its target", async () => {
    const [dest, target, outside] = [place(), place(), place()];
    expect((await backup(dest)).code).toBe(0);
    await mkdir(outside);
    await mkdir(target);
    await symlink(outside, join(target, "samba-backup"));
    const result = await restore(dest, target);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain("leads out of");
    expect(await readdir(outside)).toEqual([]);
  });
});

const restore = (dest: string, target: string, ...more: readonly string[]): Promise<Result> =>
  runBackup(["restore", "samba", dest, target, "--json", ...more]);
