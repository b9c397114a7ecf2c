import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { runBackup, writeSecret } from "./support/command.js";
import { BOB, PASSWORDS, expectNoSecret, summaryOf, useScripts } from "./support/scripts.js";

const scripts = useScripts();
const { at, writeScript, runScript, runFile, expectMirrored } = scripts;

describe("a script is started", () => {
  const BASH = 'echo "${BASH_VERSION:+by bash}"';
  it.each([
    ["by bash", `#!/bin/bash\n${BASH}`, 0o755, "by bash"],
    ["by bash without a run bit", `#!/bin/bash\n${BASH}`, 0o644, "by bash"],
    ["by bash without a first line that says so", BASH, 0o644, "by bash"],
    ["by bash without that, with a run bit", BASH, 0o755, "by bash"],
    ["by sh, with blanks and an option", "#! /bin/sh -f \necho /*", 0o644, "/*"],
    ["by node", "#!/usr/bin/env node\nconsole.log(`by ${typeof process}`)", 0o755, "by object"],
    ["by what env finds", `#!/usr/bin/env -S bash -e\n${BASH}; echo $-`, 0o600, "by bash\nehB"],
  ])("%s", async (_name, text, mode, says) => {
    const result = await runFile(await writeScript(text, { mode }));
    expect(result).toMatchObject({ code: 1, stderr: "" });
    expect(result.stdout.replace(/^KO {2}script [^]*started no action[^]*$/m, "")).toBe(`${says}\n`);
  });

  it("by node without a run bit, with actions", async () => {
    const text = `#!/usr/bin/env node
      const { spawnSync } = require("node:child_process");
      const { DEST, SERVER, CA } = process.env;
      for (const user of ["alice", "bob"])
        spawnSync("backup", ["imap", user, \`\${DEST}/\${user}\`, SERVER, "--tls-ca", CA], { stdio: "inherit" });`;
    const result = await runFile(await writeScript(text, { mode: 0o644 }));
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(summaryOf(result).at(-1)).toMatch(/^2 actions: 2 OK in /);
    await expectMirrored("alice");
    await expectMirrored("bob");
  });

  it("as it is where it is a program, which must be executable", async () => {
    await copyFile("/bin/echo", at("program"));
    await chmod(at("program"), 0o755);
    expect((await runFile(at("program"))).stdout).toMatch(/^\nKO {2}script .*\n.*started no action/);
    await chmod(at("program"), 0o644);
    const result = await runFile(at("program"));
    expect(result.code).toBe(1);
    expect(result.stdout).toMatch(
      /program cannot be started by \S+\/program \(EACCES\); make it executable: chmod \+x$/m,
    );
  });

  it("where neither backup nor node is on the PATH", async () => {
    scripts.env = { ...scripts.env, PATH: "/nowhere" };
    expect(await runScript(BOB)).toMatchObject({ code: 0, stderr: "" });
    await expectMirrored("bob");
  });

  it("from a place with blanks and quotes, by its default name", async () => {
    const odd = `it's "odd" $HOME \\ *`;
    await mkdir(at(odd));
    await writeSecret(at(odd), "bob.password", PASSWORDS.bob);
    scripts.env = { ...scripts.env, BACKUP_DIR: at(odd), TMPDIR: at("tmp"), DEST: at("dest", odd) };
    await writeScript(BOB, { name: join(odd, "backup"), mode: 0o600 });
    const result = expectNoSecret(await runBackup(["run"], scripts.env));
    expect(result).toMatchObject({ code: 0, stderr: "" });
    await expectMirrored("bob", join(odd, "bob"));
  });

  it("where the directory for temporary files takes none, as in a container that is read-only", async () => {
    scripts.env = { ...scripts.env, TMPDIR: at("nowhere") };
    const result = await runScript(`echo "$BACKUP_JOURNAL"\n${BOB}`);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const [journal = ""] = result.stdout.split("\n");
    expect(journal).toMatch(/^\/dev\/shm\/backup-\w+\/journal$/);
    expect(existsSync(dirname(journal))).toBe(false);
  });

  it("by a name that is relative, and odd", async () => {
    await writeScript("echo started", { name: "-c 'x'" });
    const result = await runFile(relative(process.cwd(), at("-c 'x'")));
    expect(result).toMatchObject({ code: 1, stdout: expect.stringMatching(/^started\nKO {2}script .*-c 'x' /) });
  });
});

describe("what is no script", () => {
  const oneLine = async (file: string, code: number, says: RegExp): Promise<void> => {
    const result = await runFile(file);
    expect(result).toMatchObject({ code, stdout: "" });
    expect(result.stderr).toMatch(/^backup: [^\n]*\n$/);
    expect(result.stderr).toMatch(says);
  };

  it("has Windows' line ends", async () => {
    await oneLine(await writeScript("#!/bin/bash\r\nbackup\r\n"), 1, /nightly has the line ends of Windows \(CR LF\)/);
    await oneLine(await writeScript("backup imap\r\n"), 1, /nightly has the line ends of Windows/);
  });

  it("begins with a byte order mark", async () => {
    await oneLine(await writeScript("\ufeff#!/bin/bash\n"), 1, /byte order mark/);
  });

  it("names an interpreter that is missing, or none", async () => {
    await oneLine(await writeScript("#!/usr/bin/nowhere -x\n"), 1, /names \/usr\/bin\/nowhere, which is not there/);
    await oneLine(await writeScript("#!/etc/passwd\n"), 1, /names \/etc\/passwd, which cannot be executed \(EACCES\)/);
    await oneLine(await writeScript("#! \necho\n"), 1, /names no interpreter/);
  });

  it("cannot be read", () => oneLine("/proc/sys/vm/compact_memory", 1, /cannot be read \(EACCES\) by user 0/));

  it("is a device", () => oneLine("/dev/null", 1, /is no regular file/));

  it("is a directory, as docker makes one for a file that does not exist", async () => {
    const says = /\/secrets is a directory, and a script is needed; docker makes one/;
    await oneLine(at("secrets"), 2, says);
  });

  it("is missing: how to mount one, and how to do without", async () => {
    const result = await runBackup(["run"], scripts.env);
    expect(result).toMatchObject({ code: 2, stdout: "" });
    expect(result.stderr).toMatch(/^backup: there is nothing to run: no script \S+ and no plan /);
    expect(result.stderr).toMatch(/^Outside of a container, name one: backup run FILE\. /m);
    expect(result.stderr).toMatch(/^ {2}docker run --rm -v \/etc\/backup:\S+:ro IMAGE$/m);
    expect(result.stderr).toMatch(/^ {2}#!\/bin\/bash$/m);
    expect(result.stderr).toMatch(/^ {2}docker run .* IMAGE backup imap \\\n {4}alice@example\.org /m);
    expect(result.stderr).not.toMatch(/\\u|undefined/);
  });

  it("was named and is missing: one line", () =>
    oneLine(at("none"), 2, /there is no script \S+\/none; name the file of a script/));

  it("is no plan either", async () => {
    const result = await runFile(await writeScript(BOB), "--watch");
    expect(result).toMatchObject({ code: 2, stderr: expect.stringMatching(/--watch runs a plan .* cron\n$/) });
  });
});
