import { spawnSync } from "node:child_process";
import { readFile, readdir, rename, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { BackupError, type Report, makeOwnedDirectory } from "@backup/core";
import { describe, expect, it } from "vitest";
import { busy } from "../../../test/support/busy.js";
import type { ActionContext } from "../src/action.js";
import { planMaker } from "../src/plan/make-plan.js";
import type { PlanContent } from "../src/plan/plan.js";
import type { ActionType, CommonArguments } from "../src/types/action-type.js";
import { PLUGINS, imapType } from "./support/types.js";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";

const SECRET = "hunter2-correct-horse";

type ImapArguments = CommonArguments & Readonly<Record<string, unknown>> & { readonly srcsecret?: string };

/** What an action was made with when it ran, and what the file of its secret held then. */
interface Seen {
  args?: ImapArguments;
  text?: string;
  mode?: number;
}

/** The type imap, whose actions read the secret's file instead of mail. */
function spy(seen: Seen): ActionType<ImapArguments> {
  return {
    ...imapType,
    create: (args) => ({
      ...imapType.create(args),
      async run() {
        seen.args = args;
        if (args.srcsecret !== undefined) {
          seen.text = await readFile(args.srcsecret, "utf8");
          seen.mode = (await stat(args.srcsecret)).mode & 0o777;
        }
        return { result: "complete" } as unknown as Report;
      },
    }),
  };
}

function planWith(secret: string, type: ActionType<never> = imapType): PlanContent {
  const text = `actions:
  - type: imap
    user: alice
    destination: nas:alice
    server: mail.example.org
    ${secret}
`;
  return planMaker([type])({ file: "plan.yaml", text, dryRun: false });
}

function runWith(
  secret: string,
  seen: Seen,
  env: NodeJS.ProcessEnv,
  signal = new AbortController().signal,
): Promise<Report> {
  const { actions } = planWith(secret, spy(seen));
  const context: ActionContext = {
    onEvent: () => {},
    signal,
    debug: false,
    secrets: "/nowhere",
    env,
    plugins: PLUGINS,
  };
  return actions[0]?.action.run(context) ?? Promise.reject(new Error("no action"));
}

describe("a secret in a plan", () => {
  it.each(["srcsecret: /run/secrets/alice", "srcsecret: { file: /run/secrets/alice }"])(
    "may be a file: %s",
    (secret) => {
      const seen: Seen = {};
      const { actions } = planWith(secret, { ...imapType, create: (args) => imapType.create((seen.args = args)) });
      expect(actions).toHaveLength(1);
      expect(seen.args?.srcsecret).toBe("/run/secrets/alice");
    },
  );

  it("may be a variable or a command: it is a file while the action runs, and gone afterwards", async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, "password");
    await writeFile(file, `${SECRET}\n`);
    for (const secret of ["{ env: ALICE }", `{ command: [cat, ${file}] }`, `{ command: [printf, ${SECRET}] }`]) {
      const seen: Seen = {};
      await runWith(`srcsecret: ${secret}`, seen, { ...process.env, ALICE: SECRET });
      expect(seen).toMatchObject({ text: `${SECRET}\n`, mode: 0o400 });
      const place = seen.args?.srcsecret ?? "";
      await expect(stat(dirname(place))).rejects.toMatchObject({ code: "ENOENT" });
    }
  });

  it("is gone too when the action fails", async () => {
    let place = "";
    const type: ActionType<ImapArguments> = {
      ...imapType,
      create: (args) => ({
        ...imapType.create(args),
        async run() {
          place = args.srcsecret ?? "";
          expect((await stat(dirname(place))).mode & 0o777).toBe(0o700);
          throw new BackupError("AUTH_FAILED", "no");
        },
      }),
    };
    const [planned] = planWith("srcsecret: { env: ALICE }", type).actions;
    const context = { onEvent: () => {}, debug: false, secrets: "/nowhere", env: { ALICE: SECRET }, plugins: PLUGINS };
    await expect(planned?.action.run({ ...context, signal: new AbortController().signal })).rejects.toThrow("no");
    expect(place).toMatch(/\/srcsecret$/);
    await expect(stat(dirname(place))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it.each(["dstsecret", "dstpassphrase"])("%s may be one as well", async (option) => {
    const seen: Seen = {};
    await runWith(`${option}: { env: KEY }`, seen, { KEY: SECRET });
    expect(seen.args?.[option as "dstsecret"]).toMatch(new RegExp(`/backup-secret-[^/]+/${option}$`));
  });

  it.each([
    [
      "a variable that is not set",
      "{ env: NONE }",
      "SECRET_MISSING",
      "srcsecret: the variable NONE is not set; set it where backup is started",
    ],
    [
      "a variable that is empty",
      "{ env: EMPTY }",
      "SECRET_MISSING",
      "srcsecret: the variable EMPTY is empty; set it where backup is started",
    ],
    [
      "a program that is missing",
      "{ command: no-such-program }",
      "SECRET_UNREADABLE",
      "srcsecret: the program no-such-program of its command does not exist; check the name, and PATH",
    ],
    [
      "a command that fails",
      `{ command: [sh, -c, "echo ${SECRET}; echo ${SECRET} >&2; exit 3"] }`,
      "SECRET_UNREADABLE",
      "srcsecret: the command sh ended with status 3; run it by hand to see why",
    ],
    [
      "a command that prints nothing",
      "{ command: 'true' }",
      "SECRET_UNREADABLE",
      "srcsecret: the command true prints nothing; run it by hand to see why",
    ],
    [
      "a command that prints without end",
      "{ command: 'yes' }",
      "SECRET_UNREADABLE",
      "srcsecret: the command yes prints too much to be a secret; run it by hand to see why",
    ],
    [
      "a command that is killed",
      "{ command: [sh, -c, 'kill -9 $$'] }",
      "SECRET_UNREADABLE",
      "srcsecret: the command sh failed (SIGKILL); run it by hand to see why",
    ],
  ])("%s", async (_what, secret, code, message) => {
    const error = await runWith(`srcsecret: ${secret}`, {}, { PATH: process.env.PATH, EMPTY: "" }).catch(
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ name: "BackupError", code, message });
    // With all that DEBUG shows.
    expect(String(error.cause?.message)).not.toContain(SECRET);
  });

  it("is not waited for once the run is to stop", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new BackupError("ABORTED", "stop")), 100);
    const before = performance.now();
    const run = runWith("srcsecret: { command: [sleep, '60'] }", {}, { PATH: process.env.PATH }, controller.signal);
    await expect(run).rejects.toMatchObject({ code: "ABORTED" });
    expect(performance.now() - before).toBeLessThan(busy(5000));
  });

  it("reads nothing from the terminal", async () => {
    const seen: Seen = {};
    await runWith(`srcsecret: { command: [sh, -c, "cat; echo ${SECRET}"] }`, seen, { PATH: process.env.PATH });
    expect(seen.text).toBe(`${SECRET}\n`);
  });

  it("says where it would have to be kept when it cannot be", async () => {
    await using directory = await temporaryDirectory();
    await withTemporaryDirectory(join(directory.path, "missing"), async () => {
      await expect(runWith("srcsecret: { env: ALICE }", {}, { ALICE: SECRET })).rejects.toMatchObject({
        code: "SECRET_UNREADABLE",
        message: /cannot be written \(ENOENT\); name another directory with TMPDIR, or give the secret as a file$/,
      });
    });
  });
});

describe("a secret that stands in a plan", () => {
  const A_SECRET =
    "names a secret and never holds it: an absolute path, {file: /absolute/path}, {env: NAME} or {command: [program, argument]}";
  it.each([
    [`srcsecret: ${SECRET}`, `6:16: srcsecret ${A_SECRET}`],
    [`dstpassphrase: "${SECRET}"`, `6:20: dstpassphrase ${A_SECRET}`],
    [`srcsecret: ["${SECRET}"]`, `6:16: srcsecret ${A_SECRET}`],
    [`srcsecret: { ${SECRET} }`, `6:16: srcsecret ${A_SECRET}`],
    [`srcsecret: { ${SECRET}: x, env: A }`, `6:16: srcsecret ${A_SECRET}`],
    [`srcsecret: { value: ${SECRET} }`, `6:16: srcsecret ${A_SECRET}`],
    ["srcsecret: { file: /a, env: B }", `6:16: srcsecret ${A_SECRET}`],
    ["srcsecret: {}", `6:16: srcsecret ${A_SECRET}`],
    [`srcsecret: { file: ${SECRET} }`, "6:24: file takes the absolute path of a file"],
    [`srcsecret: { env: ${SECRET} }`, "6:23: env takes the name of a variable, not its value"],
    [
      `srcsecret: { command: "echo ${SECRET}" }`,
      "6:27: command takes a program and its arguments as a list: [program, argument]",
    ],
    ["srcsecret:", "6:5: srcsecret has no value"],
    ["srcsecret: 12345678", `6:16: srcsecret ${A_SECRET}`],
    [`password: ${SECRET}`, "6:5: there is no option 'password'; did you mean srcsecret?"],
    [`srcsecret: @${SECRET}`, "6:16: a text cannot begin with this character; put it in quotes"],
    [
      `srcsecret: *${SECRET}`,
      "6:16: no anchor (&name) of this name stands above; a text that begins with * belongs in quotes",
    ],
    [`srcsecret: !${SECRET} x`, "6:16: tags are not known here; a text that begins with ! belongs in quotes"],
    [`srcsecret: "${SECRET}\\q"`, "6:38: there is no such escape in double quotes; write the text in single quotes"],
    [
      `srcsecret: "a" ${SECRET}`,
      "6:20: this does not belong here; is a quote, a bracket or a blank missing, or one too many?",
    ],
    [
      `srcsecret: >${SECRET}`,
      "6:17: this does not belong here; is a quote, a bracket or a blank missing, or one too many?",
    ],
  ])("%s is refused, and not repeated", (secret, expected) => {
    expect(() => planWith(secret)).toThrow(expect.objectContaining({ code: "PLAN_INVALID" }));
    let message = "";
    try {
      planWith(secret);
    } catch (error) {
      message = String(error instanceof Error ? error.message : error);
    }
    expect(message).not.toContain(SECRET);
    expect(message.split("\n")).toContain(`plan.yaml:${expected}`);
  });

  it.each([
    [
      "url",
      `smtp://me:${SECRET}@mail`,
      "takes smtp://[USER@]HOST[:PORT] or smtps://…, without a password; that is named by password",
    ],
    ["password", SECRET, "names a file with the secret and never holds it: an absolute path or {file: /absolute/path}"],
    [
      "password",
      `{ env: ${SECRET} }`,
      "names a file with the secret and never holds it: an absolute path or {file: /absolute/path}",
    ],
  ])("a mail's %s", (key, value, expected) => {
    const text = `actions: [{ type: imap, user: a, destination: b, server: c }]\nreports: { mail: { to: a@b, ${key}: ${value} } }\n`;
    const read = () => planMaker([imapType], PLUGINS)({ file: "plan.yaml", text, dryRun: false });
    expect(read).toThrow(new BackupError("PLAN_INVALID", `plan.yaml:2:${29 + key.length + 2}: ${key} ${expected}`));
  });

  it("in front of a server", () => {
    const text = `actions:\n- { type: imap, user: a, destination: b, server: "imaps://a:${SECRET}@mail" }\n`;
    const read = () => planMaker([imapType], PLUGINS)({ file: "plan.yaml", text, dryRun: false });
    expect(read).toThrow(/^plan\.yaml:2:50: server: 'imaps:\/\/…@mail' is no server/);
    expect(read).not.toThrow(SECRET);
  });
});

describe("files of secrets", () => {
  it("that a killed run left are removed by the next", async () => {
    await using directory = await temporaryDirectory();
    const mine = basename(await makeOwnedDirectory({ parent: directory.path, prefix: "backup-secret-" }));
    const old = join(directory.path, mine.replace(`.${process.pid}.`, `.${2 ** 22 + 1}.`));
    await rename(join(directory.path, mine), old);
    await writeFile(join(old, "srcsecret"), SECRET);
    await withTemporaryDirectory(directory.path, async () => {
      await runWith("srcsecret: { env: ALICE }", {}, { ALICE: SECRET });
    });
    expect(await readdir(directory.path)).toEqual([]);
  });

  it("are removed when the process ends at once", async () => {
    await using directory = await temporaryDirectory();
    const secrets = fileURLToPath(new URL("../dist/plan/secret-files.js", import.meta.url));
    const program = `
      const { openSecretFiles } = await import(${JSON.stringify(secrets)});
      const context = { env: { A: "x" }, signal: new AbortController().signal };
      const { files } = await openSecretFiles({ srcsecret: { env: "A" } }, context);
      process.stdout.write(files.srcsecret);
      process.exit(130);`;
    const child = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      env: { TMPDIR: directory.path },
      encoding: "utf8",
    });
    expect(child).toMatchObject({ status: 130, stderr: "", stdout: expect.stringContaining(directory.path) });
    expect(await readdir(directory.path)).toEqual([]);
  });
});

/** Runs this with another place for temporary files. */
async function withTemporaryDirectory(path: string, work: () => Promise<void>): Promise<void> {
  const previous = process.env.TMPDIR;
  process.env.TMPDIR = path;
  try {
    await work();
  } finally {
    if (previous === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = previous;
  }
}
