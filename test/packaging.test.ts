import { execFile } from "node:child_process";
import { access, copyFile, mkdir, readFile, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillAccount, readServer } from "./support/account.js";
import { writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import type { MailServer } from "./support/mail-server.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { expectedTree, readTree } from "./support/tree.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PACKAGES = ["core", "file", "imap", "mail", "mysql", "rclone", "samba", "transport-rsync", "cli"];

let directory: TemporaryDirectory;
let server: MailServer;
/** An empty folder, outside of the repository, in which the packed packages are installed. */
let home: string;
let version: string;

/** As from a shell: without what `npm test` says of this repository to everything that it starts. */
const env: NodeJS.ProcessEnv = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_(config_local_prefix|package_|lifecycle_)|INIT_CWD)/.test(name),
    ),
  ),
  // npm warns of what it finds in its user's configuration.
  npm_config_loglevel: "error",
};

function run(program: string, args: readonly string[], cwd = home) {
  return promisify(execFile)(program, args, { cwd, env, maxBuffer: 2 ** 24 });
}

beforeAll(async () => {
  directory = await temporaryDirectory();
  home = join(directory.path, "home");
  await mkdir(home);
  const packed = join(directory.path, "packed");
  await mkdir(packed);
  const workspaces = PACKAGES.map((name) => `--workspace=@backup/${name}`);
  await run("npm", ["pack", "--silent", "--pack-destination", packed, ...workspaces], ROOT);
  const files = (await readdir(packed)).map((name) => join(packed, name));
  await writeFile(join(home, "package.json"), '{ "private": true, "type": "module" }\n');
  await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts", ...files]);
  ({ version } = JSON.parse(await readFile(join(ROOT, "packages/cli/package.json"), "utf8")) as { version: string });

  server = await startDovecot();
  await fillAccount(server, { messages: 20 });
}, 300_000);
afterAll(async () => {
  await server?.stop();
  await directory?.[Symbol.asyncDispose]();
});

describe.each(PACKAGES)("@backup/%s", (name) => {
  const root = () => join(home, "node_modules/@backup", name);
  /** All files of the package, without those of packages that it has inside. */
  const filesOf = async (): Promise<readonly string[]> => {
    const entries = await readdir(root(), { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root(), join(entry.parentPath, entry.name)))
      .filter((path) => !path.startsWith("node_modules/"));
  };

  it("has what belongs to a package, and nothing that is ours alone", async () => {
    const files = await filesOf();
    for (const wanted of ["LICENSE", "README.md", "package.json", "dist/index.js", "dist/index.d.ts", "src/index.ts"])
      expect(files).toContain(wanted);
    expect(files.filter((path) => /^test\/|\.test\.|tsbuildinfo|tsconfig|\.env/.test(path))).toEqual([]);
    expect(await readFile(join(root(), "LICENSE"), "utf8")).toBe(await readFile(join(ROOT, "LICENSE"), "utf8"));
  });

  it("has maps whose sources are there", async () => {
    const maps = (await filesOf()).filter((path) => path.endsWith(".map"));
    expect(maps.length).toBeGreaterThan(0);
    const missing: string[] = [];
    for (const path of maps) {
      const { sources } = JSON.parse(await readFile(join(root(), path), "utf8")) as { sources: readonly string[] };
      expect(sources).toHaveLength(1);
      for (const source of sources)
        await access(resolve(dirname(join(root(), path)), source)).catch(() => missing.push(`${path}: ${source}`));
    }
    expect(missing, "left from sources that were deleted? npm run clean removes dist").toEqual([]);
  });

  it("depends on no package of the workspace by its path", async () => {
    const { dependencies = {} } = JSON.parse(await readFile(join(root(), "package.json"), "utf8")) as {
      dependencies?: Record<string, string>;
    };
    for (const range of Object.values(dependencies)) expect(range).toMatch(/^\d/);
  });
});

describe("installed in an empty folder", () => {
  it("is a command", async () => {
    expect(await run("npx", ["backup", "--version"])).toEqual({ stdout: `${version}\n`, stderr: "" });
    const { mode } = await stat(join(home, "node_modules/.bin/backup"));
    expect(mode & 0o111).toBe(0o111);
  });

  it("has the manual page and the schema of plans", async () => {
    const cli = join(home, "node_modules/@backup/cli");
    expect(await readFile(join(cli, "man/backup.1"), "utf8")).toMatch(/^\.Dt BACKUP 1$/m);
    const { man } = JSON.parse(await readFile(join(cli, "package.json"), "utf8")) as { man: string };
    expect(resolve(cli, man)).toBe(join(cli, "man/backup.1"));
    const schema =
      "import schema from '@backup/cli/plan.schema.json' with { type: 'json' }; console.log(schema.$schema)";
    const { stdout } = await run(process.execPath, ["--no-warnings", "--input-type=module", "--eval", schema]);
    expect(stdout).toContain("2020-12");
  });

  it("backs up an account", async () => {
    const secret = await writeSecret(directory.path, "alice.password", "secret");
    const target = join(directory.path, "alice");
    const place = `imaps://localhost:${server.tlsPort}`;
    const args = ["backup", "imap", "alice", target, place, "--srcsecret", secret, "--tls-ca", server.caFile];
    const { stdout, stderr } = await run("npx", args);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^done: .* 24 new,/m);
    expect(await readTree(target)).toEqual(expectedTree(await readServer(server)));
  });

  it("has libraries for programs", async () => {
    await copyFile(join(ROOT, "examples/backup.mjs"), join(home, "backup.mjs"));
    const file = await writeSecret(directory.path, "library.password", "secret");
    const target = join(directory.path, "library");
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["backup.mjs", "alice", target, `imaps://localhost:${server.tlsPort}`],
      { cwd: home, env: { ...env, PASSWORD_FILE: file, CA_FILE: server.caFile } },
    );
    expect(stdout).toMatch(/^done: 24 new, 0 deleted, 24 in all$/m);
    const program = `
      import { parseServer } from "@backup/imap/server";
      import { findIdentity, openRemoteStore } from "@backup/transport-rsync";
      import { parseRemote } from "@backup/transport-rsync/remote";
      import { EXIT, run } from "@backup/cli";
      console.log(parseServer("mail.example.org:143").port, parseRemote("a@nas:mail").host, EXIT.partial);
      console.log([findIdentity, openRemoteStore, run].every((each) => typeof each === "function"));`;
    await writeFile(join(home, "imports.mjs"), program);
    expect(await run(process.execPath, ["imports.mjs"])).toEqual({ stdout: "143 nas 3\ntrue\n", stderr: "" });
  });

  it("has types that hold in a strict program", async () => {
    // What the program itself has to bring.
    await mkdir(join(home, "node_modules/@types"), { recursive: true });
    await symlink(join(ROOT, "node_modules/@types/node"), join(home, "node_modules/@types/node")).catch((error) => {
      // A package of ours may bring it.
      if (error.code !== "EEXIST") throw error;
    });
    await writeFile(
      join(home, "program.ts"),
      `import { BackupError, LocalStore, type Report, Secret, backup } from "@backup/core";
import { ImapSource, parseServer } from "@backup/imap";
import { openRemoteStore, parseRemote } from "@backup/transport-rsync";
import { EXIT, run } from "@backup/cli";

export async function copy(to: string, signal: AbortSignal): Promise<Report> {
  await using source = new ImapSource({
    server: parseServer("mail.example.org"),
    login: { user: "alice", password: new Secret("x") },
  });
  await using store = parseRemote(to) ? await openRemoteStore({ destination: to }) : new LocalStore(to);
  return await backup({ source, store, signal, onEvent: (event) => console.log(event.type) });
}

export const status: number = await run(["--version"], process.env);
export const isDone: boolean = status === EXIT.done;
export const code: string = new BackupError("USAGE", "text").code;
// @ts-expect-error: types are there, and not \`any\`
export const wrong: string = parseServer("mail.example.org").port;
`,
    );
    const options = {
      module: "nodenext",
      target: "es2023",
      lib: ["es2023", "esnext.disposable"],
      types: ["node"],
      strict: true,
      noEmit: true,
      skipLibCheck: false,
    };
    await writeFile(join(home, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["program.ts"] }));
    const compiled = await run(join(ROOT, "node_modules/.bin/tsc"), ["--project", home]).catch(
      (error: unknown) => error,
    );
    expect(compiled).toMatchObject({ stdout: "", stderr: "" });
    expect(compiled).not.toBeInstanceOf(Error);
  });
});

describe("the repository", () => {
  it("is a command on the PATH after the installation that the README names", async () => {
    const [, line = ""] =
      /^(npm install -g \.\/packages\/cli) /m.exec(await readFile(join(ROOT, "README.md"), "utf8")) ?? [];
    const [program = "", ...args] = line.split(" ");
    const prefix = join(directory.path, "global");
    await run(program, [...args, "--offline", "--prefix", prefix], ROOT);
    expect(await run(join(prefix, "bin/backup"), ["--version"])).toEqual({ stdout: `${version}\n`, stderr: "" });
  });

  it("has the command without one, as the README writes it", async () => {
    expect(await readFile(join(ROOT, "README.md"), "utf8")).toContain("`npx --no -- backup …`");
    expect(await run("npx", ["--no", "--", "backup", "--version"], ROOT)).toEqual({
      stdout: `${version}\n`,
      stderr: "",
    });
  });

  it("has the command too", async () => {
    expect(await run("npx", ["backup", "--version"], ROOT)).toEqual({ stdout: `${version}\n`, stderr: "" });
  });
});
