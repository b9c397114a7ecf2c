import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { fillAccount, readServer } from "./support/account.js";
import { runBackup, writeSecret } from "./support/command.js";
import { composeProblems } from "./support/compose-schema.js";
import { startDovecot } from "./support/dovecot.js";
import { parseCommand } from "./support/parse-command.js";
import { runProgram } from "./support/run-program.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { expectedTree, readTree } from "./support/tree.js";

const EXAMPLES = fileURLToPath(new URL("../examples", import.meta.url));
const MAIN = fileURLToPath(new URL("../packages/cli/bin/backup.js", import.meta.url));

let directory: TemporaryDirectory;

beforeAll(async () => {
  directory = await temporaryDirectory();
});
afterAll(() => directory?.[Symbol.asyncDispose]());

describe("examples/compose.yaml", () => {
  interface Mounted {
    readonly source: string;
    readonly target: string;
  }
  interface Compose {
    readonly services: Readonly<
      Record<
        string,
        Readonly<Record<string, unknown>> & {
          readonly command: readonly string[];
          readonly user: string;
          readonly volumes: readonly string[];
          readonly secrets: readonly Mounted[];
          readonly configs: readonly Mounted[];
        }
      >
    >;
    readonly secrets: Readonly<Record<string, { readonly file: string }>>;
    readonly configs: Readonly<Record<string, { readonly file: string }>>;
  }
  let compose: Compose;

  beforeAll(async () => {
    compose = parse(await readFile(join(EXAMPLES, "compose.yaml"), "utf8")) as Compose;
  });

  it("is what the specification of Compose has", async () => {
    expect(await composeProblems(compose)).toEqual([]);
    expect(await composeProblems({ ...compose, service: {} })).toEqual([" must NOT have additional properties"]);
  });

  it("runs without privileges, and goes on for ever", async () => {
    const service = compose.services.backup;
    expect(Object.keys(compose.services)).toEqual(["backup"]);
    expect(service).toMatchObject({
      image: "backup",
      read_only: true,
      cap_drop: ["ALL"],
      security_opt: ["no-new-privileges:true"],
      tmpfs: ["/tmp"],
      restart: "unless-stopped",
    });
    expect(service?.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    // The image's own check of health counts.
    expect(service).not.toHaveProperty("healthcheck");
    expect(await parseCommand(service?.command ?? [])).toMatchObject({
      command: "run",
      args: { file: "/backup/plan.yaml", watch: true },
    });
  });

  it("mounts what it names, and what the plan asks for", async () => {
    const { secrets = [], configs = [], volumes = [] } = compose.services.backup ?? {};
    expect(secrets.map(({ source }) => source).toSorted()).toEqual(Object.keys(compose.secrets).toSorted());
    expect(configs.map(({ source }) => source)).toEqual(Object.keys(compose.configs));
    for (const { file } of Object.values(compose.secrets)) expect(isAbsolute(file)).toBe(true);
    const text = await readFile(join(EXAMPLES, compose.configs.plan?.file ?? ""), "utf8");
    const { actions } = parse(text) as {
      actions: { user: string; destination: string; srcsecret?: { file: string } }[];
    };
    const mounted = secrets.map(({ target }) => (isAbsolute(target) ? target : `/run/secrets/${target}`));
    for (const { user, srcsecret, destination } of actions) {
      expect(mounted).toContain(srcsecret?.file ?? `/backup/${user}.password`);
      if (!destination.includes(":")) expect(destination).toMatch(/^\/data\//);
    }
    expect(volumes.map((volume) => volume.split(":")[1])).toEqual(["/data"]);
  });
});

describe("examples/systemd", () => {
  const unitFile = (name: string): string => join(EXAMPLES, "systemd", name);
  /** All values of a setting. */
  const settingsOf = (unit: string, name: string): readonly string[] =>
    unit.split("\n").flatMap((line) => (line.startsWith(`${name}=`) ? [line.slice(name.length + 1)] : []));

  it("has units that systemd takes, hardened", async () => {
    const units = join(directory.path, "units");
    await mkdir(units);
    await chmod(units, 0o755);
    for (const name of ["backup.service", "backup.timer"]) {
      const text = await readFile(unitFile(name), "utf8");
      await writeFile(join(units, name), text.replace("/usr/local/bin/backup ", `${MAIN} `));
    }
    const files = ["backup.service", "backup.timer"].map((name) => join(units, name));
    expect(await runProgram("systemd-analyze", ["verify", "--man=no", ...files])).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
    // In tenths, of 100: what is below 20 is "OK", and a service without any hardening has 96.
    const rated = await runProgram("systemd-analyze", ["security", "--offline=yes", "--threshold=20", files[0] ?? ""]);
    expect(rated).toMatchObject({ code: 0, stdout: expect.stringContaining("Overall exposure level") });
  });

  it("hands the passwords to the program, which backs up", async () => {
    await using server = await startDovecot({
      users: { "alice@example.org": "one", "bob@example.org": "two" },
    });
    await fillAccount(server, { user: "alice@example.org", messages: 6 });
    const unit = await readFile(unitFile("backup.service"), "utf8");
    // As systemd does it, in a directory of its own.
    const credentials = join(directory.path, "credentials");
    await mkdir(credentials);
    for (const setting of settingsOf(unit, "LoadCredential")) {
      const [id = "", file = ""] = setting.split(":");
      expect(file).toBe(`/etc/backup/${id}`);
      await writeSecret(credentials, id, server.users[id.replace(/\.password$/, "")] ?? "");
    }
    const to = join(directory.path, "state");
    const plan = join(directory.path, "plan.yaml");
    const text = (await readFile(unitFile("plan.yaml"), "utf8"))
      .replaceAll("mail.example.org", `imaps://localhost:${server.tlsPort}`)
      .replaceAll("/var/lib/backup", to);
    await writeFile(plan, `${text}defaults:\n  tls-ca: ${server.caFile}\n`);
    const env = Object.fromEntries(
      settingsOf(unit, "Environment").map((each) => each.replace("%d", credentials).split("=") as [string, string]),
    );
    const [start = ""] = settingsOf(unit, "ExecStart");
    const [program, ...args] = start.split(" ");
    expect(program).toBe("/usr/local/bin/backup");
    const result = await runBackup(
      args.map((arg) => (arg === "/etc/backup/plan.yaml" ? plan : arg)),
      env,
    );
    expect(result, result.stderr).toMatchObject({ code: 0, stderr: "" });
    for (const user of ["alice", "bob"])
      expect(await readTree(join(to, user))).toEqual(expectedTree(await readServer(server, `${user}@example.org`)));
  });
});
