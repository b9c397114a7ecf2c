import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { format, inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type BackupEvent, BackupError, Secret, type SecretQuery, findSecret } from "../src/index.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";

const VALUE = "hunter2 \u00e4";

describe("a secret", () => {
  const secret = new Secret(VALUE);
  /** As code without types would use it. */
  const untyped = secret as unknown as string;
  const holder = { user: "me", secret, list: [secret], map: new Map([["secret", secret]]) };

  it.each([
    ["String()", String(secret)],
    ["a template", `login ${untyped}`],
    ["concatenation", "login ".concat(untyped)],
    ["join", [secret, secret].join()],
    ["JSON", JSON.stringify({ holder })],
    ["inspect", inspect(holder, { depth: 9, showHidden: true, getters: true })],
    ["inspect without its own way", inspect(secret, { customInspect: false, showHidden: true, depth: 9 })],
    ["format", format("%s %o %O %j %d", secret, secret, secret, secret, secret)],
    ["its keys", JSON.stringify([Object.entries(secret), Reflect.ownKeys(secret)])],
    ["a copy", inspect(Object.assign({}, secret))],
    ["a clone", inspect(structuredClone(secret))],
    ["an error's text", inspect(new Error(`login with ${untyped} failed`, { cause: holder }))],
    ["a BackupError", inspect(new BackupError("AUTH_FAILED", `no: ${untyped}`, { cause: holder }))],
  ])("is not shown by %s", (_way, text) => {
    expect(text).not.toContain("hunter2");
  });

  it("says that it is one, and is revealed only when asked", () => {
    expect(`login ${untyped}`).toBe("login [secret]");
    expect(inspect(secret)).toBe("[secret]");
    expect(JSON.stringify([secret])).toBe('["[secret]"]');
    expect(secret.reveal()).toBe(VALUE);
  });
});

describe("findSecret", () => {
  let directory: TemporaryDirectory;
  let events: BackupEvent[];

  beforeEach(async () => {
    directory = await temporaryDirectory();
    events = [];
  });
  afterEach(() => directory[Symbol.asyncDispose]());

  async function file(name: string, text: string | Uint8Array, mode = 0o600): Promise<string> {
    const path = join(directory.path, name);
    await writeFile(path, text);
    await chmod(path, mode);
    return path;
  }

  function find(query: Partial<SecretQuery> = {}): Promise<Secret> {
    return findSecret({
      option: "--srcsecret",
      partner: "me@example.org",
      extensions: [".password"],
      directory: directory.path,
      onEvent: (event) => events.push(event),
      ...query,
    });
  }

  async function refusal(query: Partial<SecretQuery>): Promise<BackupError> {
    const error: unknown = await find(query).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof BackupError)) throw new Error("it was found", { cause: error });
    return error;
  }

  it("reads the partner's file", async () => {
    await file("me@example.org.password", VALUE);
    expect((await find()).reveal()).toBe(VALUE);
    expect(events).toEqual([]);
  });

  it.each([
    ["a\n", "a"],
    ["a\r\n", "a"],
    ["a\n\n", "a\n"],
    ["a", "a"],
    [" a ", " a "],
    ["a\nb\n", "a\nb"],
    ["\n\n", "\n"],
  ])("takes one line end off %j", async (text, value) => {
    await file("me@example.org.password", text);
    expect((await find()).reveal()).toBe(value);
  });

  it("looks for the extensions in their order", async () => {
    const extensions = [".id_rsa", ".id_ed25519"];
    await file("host.id_ed25519", "second");
    expect((await find({ partner: "host", extensions })).reveal()).toBe("second");
    await file("host.id_rsa", "first");
    expect((await find({ partner: "host", extensions })).reveal()).toBe("first");
  });

  it("looks at nothing else when a file is named", async () => {
    await file("me@example.org.password", "found by name");
    const parameter = await file("elsewhere", "given");
    expect((await find({ parameter })).reveal()).toBe("given");
    const missing = join(directory.path, "missing");
    const error = await refusal({ parameter: missing });
    expect(error.code).toBe("SECRET_MISSING");
    expect(error.message).toContain(missing);
    expect(error.message).not.toContain(".password");
  });

  it.each(["relative", "./relative", "../up", "", "~/home"])("takes %j for a usage error", async (parameter) => {
    const error = await refusal({ parameter });
    expect(error.code).toBe("USAGE");
    expect(error.message).toContain("--srcsecret must be an absolute path");
  });

  it("names every place that it searched, and the option", async () => {
    const error = await refusal({ partner: "host", extensions: [".id_rsa", ".id_ed25519"], option: "--dstsecret" });
    expect(error.code).toBe("SECRET_MISSING");
    for (const part of [
      "host",
      join(directory.path, "host.id_rsa"),
      join(directory.path, "host.id_ed25519"),
      "--dstsecret",
    ])
      expect(error.message).toContain(part);
  });

  it("warns of a file that everybody may read, and uses it", async () => {
    const path = await file("me@example.org.password", VALUE, 0o644);
    expect((await find()).reveal()).toBe(VALUE);
    expect(events).toEqual([
      { type: "warning", code: "SECRET_EXPOSED", message: expect.stringContaining(`chmod 600 ${path}`) },
    ]);
    expect(JSON.stringify(events)).not.toContain("hunter2");
  });

  it("does not warn of a group's file, as Kubernetes mounts one", async () => {
    await file("me@example.org.password", VALUE, 0o640);
    await find();
    expect(events).toEqual([]);
  });

  it.each(["", "\n", "\r\n"])("refuses an empty one: %j", async (text) => {
    const path = await file("me@example.org.password", text);
    const error = await refusal({});
    expect(error.code).toBe("SECRET_UNREADABLE");
    expect(error.message).toBe(`secret ${path} is empty`);
  });

  it("refuses a directory, a loop of links and a large file, and says which", async () => {
    const inTheWay = join(directory.path, "me@example.org.password");
    await mkdir(inTheWay);
    expect(await refusal({})).toMatchObject({ code: "SECRET_UNREADABLE", message: expect.stringContaining(inTheWay) });
    const loop = join(directory.path, "loop");
    await symlink(loop, loop);
    expect(await refusal({ parameter: loop })).toMatchObject({
      code: "SECRET_UNREADABLE",
      message: expect.stringContaining("ELOOP"),
    });
    const parameter = await file("large", `${VALUE}${"x".repeat(70_000)}`);
    const error = await refusal({ parameter });
    expect(error).toMatchObject({ code: "SECRET_UNREADABLE", message: expect.stringContaining(parameter) });
    expect(inspect(error)).not.toContain("hunter2");
  });

  it.each(["../me", "a/b", "/etc/passwd", "..", "", "a\0b"])(
    "never leaves its directory for the partner %j",
    async (partner) => {
      await mkdir(join(directory.path, "inner/a"), { recursive: true });
      await file("me.password", "outside");
      await file("inner/a/b.password", "below");
      const error = await refusal({ partner, directory: join(directory.path, "inner") });
      expect(error.code).toBe("SECRET_MISSING");
    },
  );
});
