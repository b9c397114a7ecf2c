import { execFile } from "node:child_process";
import { access, chmod, mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runBackup } from "../../../test/support/command.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { SUBCOMMANDS } from "./support/types.js";

const MAIN = fileURLToPath(new URL("../bin/backup.js", import.meta.url));
const WORDS = [...new Set(SUBCOMMANDS.map(({ name }) => name.split(" ")[0] ?? ""))];

let directory: TemporaryDirectory;
let env: NodeJS.ProcessEnv;
/** Files with the scripts. */
let bash: string;
let zsh: string;

beforeAll(async () => {
  directory = await temporaryDirectory();
  const bin = join(directory.path, "bin");
  await mkdir(bin);
  await writeFile(join(bin, "backup"), `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
  await chmod(join(bin, "backup"), 0o755);
  env = { PATH: [bin, process.env.PATH].join(delimiter), HOME: directory.path };
  [bash = "", zsh = ""] = await Promise.all(
    ["bash", "zsh"].map(async (name) => {
      const { stdout } = await runBackup(["completion", name]);
      const file = join(directory.path, name);
      await writeFile(file, stdout);
      return file;
    }),
  );
});
afterAll(() => directory?.[Symbol.asyncDispose]());

async function shell(program: string, script: string): Promise<readonly string[]> {
  const { stdout, stderr } = await promisify(execFile)(program, ["-c", script], { env });
  expect(stderr).toBe("");
  return stdout.split("\n").slice(0, -1);
}

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** What bash offers for the last word; nothing means that it offers files. */
function completeInBash(...words: readonly string[]): Promise<readonly string[]> {
  // Another login shell than the one that runs, as people have it.
  return shell(
    "bash",
    `set -u; export SHELL=/bin/zsh; source ${bash}
    COMP_WORDS=(${words.map(quote).join(" ")}); COMP_CWORD=${words.length - 1}; _backup
    (( \${#COMPREPLY[@]} == 0 )) || printf '%s\\n' "\${COMPREPLY[@]}"`,
  );
}

describe("completion in bash", () => {
  it("is installed for backup, with files where it has nothing to say", async () => {
    expect(await shell("bash", "source <(backup completion bash); complete -p backup")).toEqual([
      "complete -o default -F _backup backup",
    ]);
  });

  it("knows every command, and what one begins with", async () => {
    const all = await completeInBash("backup", "");
    expect(all.toSorted()).toEqual(WORDS.toSorted());
    expect(await completeInBash("backup", "im")).toEqual(["imap"]);
    expect(await completeInBash("backup", "x")).toEqual([]);
  });

  it("knows the commands of two words", async () => {
    const second = SUBCOMMANDS.flatMap(({ name }) => (name.startsWith("config ") ? [name.slice(7)] : []));
    expect(second).toContain("check");
    expect((await completeInBash("backup", "config", "")).toSorted()).toEqual(second.toSorted());
    expect(await completeInBash("backup", "config", "che")).toEqual(["check"]);
  });

  it.each(SUBCOMMANDS)("knows every option of $name", async ({ name, options }) => {
    const offered = await completeInBash("backup", ...name.split(" "), "--");
    for (const option of [...Object.keys(options), "json", "quiet", "verbose", "help"])
      expect(offered).toContain(`--${option}`);
  });

  it("knows the end of an option, and leaves out one that was given", async () => {
    expect(await completeInBash("backup", "imap", "a", "b", "c", "--tr")).toEqual(["--transport"]);
    expect(await completeInBash("backup", "imap", "--dry-run", "--dry")).toEqual([]);
  });

  it("knows what an option and an argument may be", async () => {
    expect(await completeInBash("backup", "imap", "--transport", "")).toEqual(["rsync", "sftp"]);
    expect(await completeInBash("backup", "imap", "--transport", "s")).toEqual(["sftp"]);
    // As bash takes --transport=s apart.
    expect(await completeInBash("backup", "imap", "--transport", "=", "s")).toEqual(["sftp"]);
    expect(await completeInBash("backup", "imap", "--transport", "=")).toEqual(["rsync", "sftp"]);
    expect(await completeInBash("backup", "completion", "")).toEqual(["bash", "zsh"]);
  });

  it("leaves it to the shell where a file is meant", async () => {
    for (const words of [
      ["imap", "alice@example.org", ""],
      ["imap", "alice@example.org", "/back"],
      ["imap", "--srcsecret", ""],
      ["run", ""],
      ["run", "pl"],
      ["check-destination", "nas:"],
      ["config", "check", ""],
    ])
      expect(await completeInBash("backup", ...words), words.join(" ")).toEqual([]);
  });

  it("looks at the words before the cursor only", async () => {
    const script = `source ${bash}
      COMP_WORDS=(backup ima alice); COMP_CWORD=1; _backup; echo "\${COMPREPLY[@]}"`;
    expect(await shell("bash", script)).toEqual(["imap"]);
  });

  it("takes what somebody typed for words, whatever they are", async () => {
    const target = join(directory.path, "made");
    for (const words of [
      ["imap", "a", target, "localhost", "--srcsecret", "/x", "more", ""],
      ["imap", "--transport", "nonsense", ""],
      ["imap", "--help", "x"],
      ["run", "--version", "x"],
      ["run", `$(touch ${target})`, ""],
      ["run", "it's", '"', `\`touch ${target}\``, ""],
    ])
      expect(await completeInBash("backup", ...words), words.join(" ")).toEqual([]);
    await expect(access(target)).rejects.toThrow("ENOENT");
  });

  it("has nothing to hide from whoever types", async () => {
    for (const words of [
      ["frobnicate", ""],
      ["imap", "--transport", ""],
      ["imap", "--help", "x"],
      ["--json", "config", "", ""],
    ])
      expect(await runBackup(["--get-yargs-completions", "backup", ...words])).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("completion in zsh", () => {
  /** The functions of zsh that it calls only say what they were asked. */
  const completeInZsh = (...words: readonly string[]): Promise<readonly string[]> =>
    shell(
      "zsh",
      `export SHELL=/bin/bash; compdef() { print -r -- "compdef $*" }; _files() { print files }
      _describe() { print -rl -- "\${(@P)2}" }
      source ${zsh}
      words=(${words.map(quote).join(" ")}); CURRENT=${words.length}; _backup`,
    ).then((lines) => {
      expect(lines[0]).toBe("compdef _backup backup");
      return lines.slice(1);
    });

  it("knows commands and options, with what they do", async () => {
    const commands = await completeInZsh("backup", "");
    expect(commands.map((line) => line.replace(/:.*/, "")).toSorted()).toEqual(WORDS.toSorted());
    expect(commands).toContain("imap:mirror an IMAP account into a Maildir tree");
    const options = await completeInZsh("backup", "imap", "--");
    expect(options.find((line) => line.startsWith("--allow-deletes:"))).toContain("more than half");
    expect(await completeInZsh("backup", "imap", "--transport", "")).toEqual(["rsync", "sftp"]);
  });

  it("leaves files to the shell", async () => {
    expect(await completeInZsh("backup", "imap", "alice", "")).toEqual(["files"]);
    expect(await completeInZsh("backup", "run", "")).toEqual(["files"]);
  });
});

describe("backup completion", () => {
  it("is for the shell of the login unless it is told", async () => {
    for (const [args, SHELL, says] of [
      [[], "/bin/bash", "complete -o default"],
      [[], "/usr/bin/zsh", "#compdef backup"],
      [["zsh"], "/bin/bash", "#compdef backup"],
      [["bash"], undefined, "complete -o default"],
    ] as const) {
      const result = await runBackup(["completion", ...args], SHELL === undefined ? {} : { SHELL });
      expect(result).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining(says) });
    }
  });

  it("says which there are where it has none", async () => {
    const both = "backup completion bash, backup completion zsh";
    for (const [args, shellOfLogin, says] of [
      [[], "/usr/bin/fish", `backup: SHELL is '/usr/bin/fish'; say which completion: ${both}\n`],
      [[], "", `backup: SHELL is ''; say which completion: ${both}\n`],
    ] as const)
      expect(await runBackup(["completion", ...args], { SHELL: shellOfLogin })).toMatchObject({
        code: 2,
        stdout: "",
        stderr: says,
      });
    expect(await runBackup(["completion", "fish"])).toMatchObject({
      code: 2,
      stdout: "",
      stderr: `backup: shell takes one of "bash", "zsh", and 'fish' is none of them; see backup completion --help\n`,
    });
  });
});
