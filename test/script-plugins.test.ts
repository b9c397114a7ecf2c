import { execFileSync } from "node:child_process";
import { chmod, mkdir, readFile, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventsOf, reportOf, runBackup, startBackup } from "./support/command.js";
import { isRunning } from "./support/is-running.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

const GIT = fileURLToPath(new URL("../examples/plugins/backup-source-git", import.meta.url));

let directory: TemporaryDirectory;
const at = (name: string): string => join(directory.path, name);
beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(() => directory[Symbol.asyncDispose]());

function git(place: string, ...args: readonly string[]): string {
  const who = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
  return execFileSync("git", ["-C", place, ...who, ...args], { encoding: "utf8", stdio: "pipe" });
}

async function repository(name: string): Promise<string> {
  await mkdir(at(name), { recursive: true });
  git(at(name), "init", "-q");
  git(at(name), "commit", "-q", "--allow-empty", "-m", "first");
  return at(name);
}

/** What a restore says that it did; undefined: it did not come to its end. */
function restoredBy(result: Awaited<ReturnType<typeof runBackup>>) {
  return eventsOf(result).flatMap((event) => (event.type === "restored" ? [event.report] : []))[0];
}

const filesOf = async (path: string): Promise<readonly string[]> => (await readdir(at(path))).toSorted();

describe("the example in bash", () => {
  it("backs up repositories, those that changed anew, and what it cannot have is told", async () => {
    const one = await repository("repos/one");
    await repository("repos/two");
    await mkdir(at("repos/no-repository"));
    const run = () => runBackup(["--plugin", GIT, "git", at("repos"), at("d"), "--json"]);
    expect(reportOf(await run())).toMatchObject({ result: "done", added: 2, collections: 2 });
    const [bundle = ""] = await filesOf("d/one");
    expect(bundle).toMatch(/^one\.D[a-z2-7]{26}\.bundle$/);
    git(directory.path, "clone", "-q", at(`d/one/${bundle}`), at("back"));
    expect(git(at("back"), "log", "--format=%s")).toBe("first\n");

    const states = (events: Awaited<ReturnType<typeof run>>) =>
      eventsOf(events).flatMap((event) => (event.type === "collection" ? [`${event.name} ${event.state}`] : []));
    expect(states(await run())).toEqual(["one unchanged", "two unchanged"]);
    expect(await runBackup(["verify", at("d"), "--plugin", GIT, "-q"])).toMatchObject({ code: 0, stderr: "" });

    git(one, "commit", "-q", "--allow-empty", "-m", "second");
    await mkdir(at("repos/empty"));
    git(at("repos/empty"), "init", "-q");
    const partly = await run();
    expect(states(partly)).toEqual(expect.arrayContaining(["one compared", "two unchanged"]));
    expect(partly.code).toBe(3);
    expect(eventsOf(partly)).toContainEqual(
      expect.objectContaining({ type: "failed", code: "ITEM_UNREADABLE", message: expect.stringContaining("empty") }),
    );
    expect(await filesOf("d/one")).toHaveLength(1);
  });

  it("gives a file the time of what is in it", async () => {
    const one = await repository("repos/one");
    const time = Number(git(one, "log", "-1", "--format=%ct"));
    const amend = [
      "-c",
      "user.name=a",
      "-c",
      "user.email=a@example.org",
      "commit",
      "-q",
      "--allow-empty",
      "--amend",
      "--no-edit",
    ];
    execFileSync("git", ["-C", one, ...amend], {
      env: { ...process.env, GIT_COMMITTER_DATE: `${time - 86_400} +0000` },
    });
    await runBackup(["--plugin", GIT, "git", at("repos"), at("d")]);
    const [bundle = ""] = await filesOf("d/one");
    expect((await stat(at(`d/one/${bundle}`))).mtimeMs).toBe((time - 86_400) * 1000);
  });

  it("clones what a directory lacks, with all branches and tags, and leaves alone what is there", async () => {
    const one = await repository("repos/one");
    git(one, "checkout", "-q", "-b", "side");
    git(one, "commit", "-q", "--allow-empty", "-m", "second");
    git(one, "tag", "v1");
    await repository("repos/two");
    await repository("repos/three");
    await runBackup(["--plugin", GIT, "git", at("repos"), at("d")]);
    const restore = (...more: readonly string[]) =>
      runBackup(["--plugin", GIT, "restore", "git", at("d"), at("back"), "--json", ...more]);
    expect(restoredBy(await restore("--dry-run"))).toMatchObject({
      result: "done",
      dryRun: true,
      items: 3,
      restored: 3,
    });
    await expect(readdir(at("back"))).rejects.toThrow("ENOENT");
    expect(restoredBy(await restore("--only", "one"))).toMatchObject({
      result: "done",
      items: 1,
      restored: 1,
      unit: "file",
    });
    const refs = (place: string): string =>
      git(place, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags");
    expect(refs(at("back/one"))).toBe(refs(one));
    expect(git(at("back/one"), "status", "--porcelain", "--branch")).toMatch(/^## side/);
    await repository("back/two");
    git(at("back/two"), "commit", "-q", "--allow-empty", "--amend", "-m", "of its own");
    const rest = await restore();
    expect(rest.code).toBe(3);
    expect(restoredBy(rest)).toMatchObject({ result: "partial", items: 3, restored: 1, present: 1, failed: 1 });
    expect(rest.stdout).toContain(`${at("back/two")} is there, and has not all commits`);
    expect(git(at("back/two"), "log", "--format=%s")).toBe("of its own\n");
    expect((await readdir(at("back"))).toSorted()).toEqual(["one", "three", "two"]);
    const help = await runBackup(["--plugin", GIT, "restore", "git", "--help"]);
    expect(help.stdout).toContain("clone the repositories that a directory lacks");
  });

  it("has help of its own, and is found on the PATH by its name", async () => {
    await symlink(GIT, at("backup-source-git"));
    const env = { PATH: `${directory.path}:${process.env.PATH ?? ""}` };
    const help = await runBackup(["--plugin", "backup-source-git", "git", "--help"], env);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toMatch(/--only +Only the repository of this name; repeatable/);
    const listed = await runBackup(["plugins", "--plugin", "backup-source-git"], env);
    expect(listed.stdout.replaceAll(/ +/g, " ")).toContain(`git source 1.0.0 ${at("backup-source-git")}\n --only\n`);
    const lacking = await runBackup(["plugins", "--plugin", "backup-source-none"], env);
    expect(lacking).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("no program backup-source-none on the PATH"),
    });
  });
});

const DESCRIPTION = { api: 1, name: "test", summary: "a test" };

/** A script whose calls do this. */
async function script(calls: Readonly<Record<string, string>>, description: object = DESCRIPTION): Promise<string> {
  const all = { describe: `echo '${JSON.stringify(description)}'`, list: "echo '{\"end\":true}'", ...calls };
  const cases = Object.entries(all).map(([call, text]) => `${call})\n${text}\n;;`);
  await writeFile(at("script"), `#!/bin/bash\ncase $1 in\n${cases.join("\n")}\nesac\n`);
  await chmod(at("script"), 0o755);
  return at("script");
}

const run = async (calls: Readonly<Record<string, string>>, description?: object) =>
  runBackup(["--plugin", await script(calls, description), "test", at("d"), "--json"]);

const ONE = `echo '{"path":"a.txt"}'; echo '{"end":true}'`;
const READ = 'read; while read -r line; do path=$(jq -r .path <<<"$line"); file=$(jq -r .file <<<"$line");';

describe("a script that brings back", () => {
  const LIST = `for n in a.txt sub/b.txt 'x: y/c.tar.gz'; do jq -nc --arg p "$n" '{path: $p, mtime: 1700000000}'; done; echo '{"end":true}'`;
  const BODIES = `${READ} printf %s "$path" >"$file"; jq -nc --arg p "$path" '{path: $p}'; done`;
  const RESTORE = {
    summary: "brings back",
    words: [{ name: "to", describe: "where" }],
    options: {
      token: { type: "string", isSecret: true, describe: "a file" },
      many: { type: "boolean", describe: "m" },
    },
  };
  /** Answers by what is in `did`, which sees path and file. */
  const restoring = (did: string, end = `echo '{"end":true}'`): string =>
    `read -r request; to=$(jq -r .arguments.to <<<"$request"); echo "$request" >"$0.request"
     while read -r line; do [[ $line == '{"end":true}' ]] && { ${end}; exit; }; path=$(jq -r .path <<<"$line")
     file=$(jq -r .file <<<"$line"); echo "$line" >>"$0.offered"; ${did}; done; exit 5`;
  const copying = restoring(
    `mkdir -p "$to/$(dirname "$path")"; mv "$file" "$to/$path"; jq -c '{path, did: "restored"}' <<<"$line"`,
  );

  async function restore(restoreCall: string, ...more: readonly string[]) {
    const calls = { list: LIST, read: BODIES, restore: restoreCall };
    const file = await script(calls, { ...DESCRIPTION, restore: RESTORE });
    if (more[0] !== "--again") expect(await runBackup(["--plugin", file, "test", at("d")])).toMatchObject({ code: 0 });
    const args = more.filter((word) => word !== "--again");
    return await runBackup(["--plugin", file, "restore", "test", at("d"), at("back"), "--json", ...args]);
  }

  it("is offered every file as it was listed, with its bytes and its time, and its secrets as files", async () => {
    await writeFile(at("secret"), "hunter2\n", { mode: 0o600 });
    const result = await restore(copying, "--token", at("secret"));
    expect(restoredBy(result)).toMatchObject({
      result: "done",
      dryRun: false,
      collections: 3,
      items: 3,
      restored: 3,
      bytes: 27,
    });
    for (const path of ["a.txt", "sub/b.txt", "x: y/c.tar.gz"]) {
      expect(await readFile(at(`back/${path}`), "utf8")).toBe(path);
      const { mtimeMs, mode } = await stat(at(`back/${path}`));
      expect({ mtimeMs, mode: mode & 0o777 }).toEqual({ mtimeMs: 1_700_000_000_000, mode: 0o600 });
    }
    const request = JSON.parse(await readFile(at("script.request"), "utf8")) as {
      readonly arguments: Record<string, unknown>;
    };
    expect(request).toMatchObject({
      api: 1,
      "dry-run": false,
      arguments: { dest: at("d"), to: at("back"), many: false },
    });
    expect(request.arguments.token).not.toBe(at("secret"));
    const [offered = ""] = (await readFile(at("script.offered"), "utf8")).split("\n");
    expect(JSON.parse(offered)).toEqual({ path: "sub/b.txt", file: expect.any(String), size: 9, mtime: 1_700_000_000 });
  });

  it("says what it did of each, and a dry run is said to it", async () => {
    const answers = restoring(`case $path in a.txt) did=present;; sub/*) did=skipped;; *) did=restored;; esac
      jq -c --arg did "$did" '{path, did: $did}' <<<"$line"`);
    const result = await restore(answers, "--dry-run");
    expect(restoredBy(result)).toMatchObject({
      result: "done",
      dryRun: true,
      items: 2,
      restored: 1,
      present: 1,
      failed: 0,
    });
    expect(await readFile(at("script.request"), "utf8")).toContain('"dry-run":true');
    const failing = restoring(
      `[[ $path == a.txt ]] && what='{path, error: "no room"}' || what='{path, did: "restored"}'; jq -c "$what" <<<"$line"`,
    );
    const partly = await restore(failing, "--again");
    expect(partly.code).toBe(3);
    expect(restoredBy(partly)).toMatchObject({ result: "partial", items: 3, restored: 2, failed: 1 });
    expect(partly.stdout).toContain("a.txt: no room");
  });

  it("is offered nothing of which the bytes are others, and the rest is brought back", async () => {
    await restore(copying);
    await rm(at("back"), { recursive: true });
    const [name = ""] = await filesOf("d/sub");
    await writeFile(at(`d/sub/${name}`), "sub/B.txt");
    const result = await restore(copying, "--again");
    expect(result.code).toBe(3);
    expect(restoredBy(result)).toMatchObject({ result: "partial", items: 3, restored: 2, failed: 1 });
    expect(result.stdout).toContain("holds other bytes than its name says");
    expect((await readdir(at("back"))).toSorted()).toEqual(["a.txt", "x: y"]);
  });

  it.each([
    ["ends early", "exit 0", "", "script restore ended before it had answered for sub/b.txt"],
    ["fails", "echo 'disk on fire' >&2; exit 7", "", "script ended with status 7: disk on fire"],
    ["answers for another", `echo '{"path":"x","did":"restored"}'`, "", "which is no answer"],
    ["does something unheard of", `echo '{"path":"sub/b.txt","did":"maybe"}'`, "", "which is no answer"],
    ["does nothing", `echo '{"path":"sub/b.txt"}'`, "", "which is no answer"],
    [
      "does not say that it is through",
      `jq -c '{path, did: "restored"}' <<<"$line"`,
      "exit 0",
      'script restore ended without {\\"end\\":true}',
    ],
    [
      "fails in the end",
      `jq -c '{path, did: "restored"}' <<<"$line"`,
      `echo '{"end":true}'; echo 'not saved' >&2; exit 4`,
      "script ended with status 4: not saved",
    ],
  ])("and %s has brought back nothing", async (_what, did, end, says) => {
    const result = await restore(restoring(did, end === "" ? undefined : end));
    expect(restoredBy(result)).toBeUndefined();
    expect({ code: result.code, text: result.stdout }).toEqual({ code: 1, text: expect.stringContaining(says) });
    expect(result.stdout).toContain("is taken for done");
  });

  it("has a restore of its own to describe, or none", async () => {
    const file = await script({ list: LIST, read: BODIES }, { ...DESCRIPTION, restore: { words: [] } });
    const { code, stderr } = await runBackup(["plugins", "--plugin", file]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("has a restore that has no summary") });
    const without = await script({ list: LIST, read: BODIES });
    const none = await runBackup(["--plugin", without, "restore", "test", at("d"), at("back")]);
    expect(none.code).toBe(2);
  });
});

describe("a script", () => {
  it("may say itself which file has the bytes", async () => {
    await writeFile(at("there"), "text");
    const result = await run({ list: ONE, read: `${READ} echo '{"path":"a.txt","file":"${at("there")}"}'; done` });
    expect(reportOf(result)).toMatchObject({ added: 1 });
    const [file = ""] = await filesOf("d/test");
    expect(file).toMatch(/^a\.D\w{26}\.txt$/);
    expect(await readFile(at(`d/test/${file}`), "utf8")).toBe("text");
    expect(await readFile(at("there"), "utf8")).toBe("text");
  });

  it("gets arguments and secrets as files, and neither by its command line nor by its environment", async () => {
    await writeFile(at("secret"), "hunter2\n", { mode: 0o600 });
    const description = {
      ...DESCRIPTION,
      words: [
        { name: "user", describe: "who" },
        { name: "dest", describe: "where" },
      ],
      options: {
        "the-secret": { type: "string", isSecret: true, describe: "a file" },
        times: { type: "number", describe: "n", default: 3 },
      },
    };
    const read = `${READ} (tr '\\0' ' ' </proc/$$/cmdline; env) >"$file"; echo "{\\"path\\":\\"$path\\"}"; done`;
    const list = `read -r request; f=$(jq -r '.arguments["the-secret"]' <<<"$request"); stat -c %a "$f" >"$0.mode"
      cp "$f" "$0.secret"; echo "$request" >"$0.request"; ${ONE}`;
    const file = await script({ list, read }, description);
    const command = ["--plugin", file, "test", "alice", at("d"), "--the-secret", at("secret"), "--json"];
    expect(reportOf(await runBackup(command, { MY_TOKEN: "hunter2" }))).toMatchObject({ added: 1 });
    expect(await readFile(`${file}.mode`, "utf8")).toBe("600\n");
    expect(await readFile(`${file}.secret`, "utf8")).toBe("hunter2");
    const request: unknown = JSON.parse(await readFile(`${file}.request`, "utf8"));
    expect(request).toMatchObject({ api: 1, arguments: { user: "alice", times: 3, dest: at("d") } });
    const [stored = ""] = await filesOf("d/test");
    expect(await readFile(at(`d/test/${stored}`), "utf8")).toContain("PATH=");
    expect(await readFile(at(`d/test/${stored}`), "utf8")).not.toContain("hunter2");
  });

  it("that does not say that its list is all, or fails, deletes nothing", async () => {
    const read = `${READ} echo x >"$file"; echo "{\\"path\\":\\"$path\\"}"; done`;
    expect(reportOf(await run({ list: ONE, read }))).toMatchObject({ added: 1 });
    for (const [list, says] of [
      ["true", 'script list ended without {"end":true}: what it listed may not be all'],
      ["echo 'disk on fire' >&2; exit 7", "script ended with status 7: disk on fire"],
      ["echo '{\"end\":true}'; exit 7", "script ended with status 7"],
      ["echo starting; echo '{\"end\":true}'", 'script list printed \\"starting\\", which is no answer'],
      ['echo \'{"path":"../a"}\'', "is no path of a file"],
      ["head -c 2000000 /dev/zero", "printed a line of more than 1048576 bytes"],
    ] as const) {
      const result = await run({ list, read });
      expect({ list, code: result.code, text: result.stdout + result.stderr }).toEqual({
        list,
        code: 1,
        text: expect.stringContaining(says),
      });
      expect(await filesOf("d/test")).toHaveLength(1);
    }
  });

  it("that ends or strays while it is read costs what it did not give", async () => {
    const list = `for n in 1 2 3; do echo "{\\"path\\":\\"$n.txt\\"}"; done; echo '{"end":true}'`;
    const read = `${READ} [[ $path == 2.txt ]] && exit 9; echo x >"$file"; echo "{\\"path\\":\\"$path\\"}"; done`;
    const result = await run({ list, read });
    expect(result.code).toBe(3);
    expect(reportOf(result)).toMatchObject({ result: "partial", added: 2, failed: 1 });
    expect((await filesOf("d/test")).map((name) => name[0])).toEqual(["1", "3"]);
  });

  it("is ended with all that it started, when the run is", async () => {
    const file = await script({ list: 'sleep 300 & echo $! >"$0.pid"; sleep 300' });
    const { child, result } = startBackup(["--plugin", file, "test", at("d")]);
    const pid = async (): Promise<number> => Number(await readFile(`${file}.pid`, "utf8").catch(() => ""));
    await expect.poll(pid, { timeout: 20_000 }).toBeGreaterThan(0);
    child.kill("SIGTERM");
    expect(await result).toMatchObject({ code: 130 });
    expect(await isRunning(await pid())).toBe(false);
  });

  it.each<[string, object | string, string]>([
    ["another version", { ...DESCRIPTION, api: 2 }, "script is made for version 2 of the plugin interface"],
    ["no JSON", "hello", "script describe: its first line is no JSON object"],
    ["no name", { api: 1, summary: "s" }, "has a name that is not lower-case"],
    ["a bad option", { ...DESCRIPTION, options: { a: {} } }, "has an option --a without describe"],
    ["a partner that is no word", { ...DESCRIPTION, partner: "user" }, "its partner 'user' is none of its words"],
  ])("that describes itself with %s is refused", async (_what, description, says) => {
    const text = typeof description === "string" ? description : JSON.stringify(description);
    const file = await script({ describe: `echo '${text}'` });
    const { code, stderr } = await runBackup(["plugins", "--plugin", file]);
    expect(code).toBe(2);
    expect(stderr).toContain(says);
  });

  it("that is not executable says so", async () => {
    await writeFile(at("script"), "#!/bin/sh\n", { mode: 0o600 });
    const { stderr } = await runBackup(["plugins", "--plugin", join(dirname(at("script")), "script")]);
    expect(stderr).toContain("it is not executable (chmod +x)");
  });
});
