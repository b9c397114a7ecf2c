import { execFileSync } from "node:child_process";
import { chmod, mkdir, readFile, readdir, symlink, writeFile } from "node:fs/promises";
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
