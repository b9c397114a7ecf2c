import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { LocalStore, Secret, backup } from "@backup/core";
import { ImapSource, loginWith } from "@backup/imap";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillAccount, readServer } from "./support/account.js";
import { type AuthorizationServer, startAuthorizationServer } from "./support/authorization-server.js";
import { type Result, eventsOf, runBackup, writeSecret } from "./support/command.js";
import type { MailServer } from "./support/mail-server.js";
import { startProxy } from "./support/proxy.js";
import { startOAuth2Dovecot } from "./support/oauth2-dovecot.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { readTree } from "./support/tree.js";

const run = promisify(execFile);

interface Setup extends AsyncDisposable {
  readonly authority: AuthorizationServer;
  readonly server: MailServer;
  readonly root: string;
}

describe("an OAuth2 login", () => {
  let directory: TemporaryDirectory;
  let count = 0;
  beforeAll(async () => {
    directory = await temporaryDirectory();
  });
  afterAll(() => directory?.[Symbol.asyncDispose]());

  async function setUp(
    options: Parameters<typeof startAuthorizationServer>[0] = {},
    dovecot: Parameters<typeof startOAuth2Dovecot>[1] = {},
  ): Promise<Setup> {
    const root = join(directory.path, String(count++));
    await mkdir(root);
    const authority = await startAuthorizationServer(options);
    const server = await startOAuth2Dovecot(authority, dovecot);
    return {
      root,
      authority,
      server,
      async [Symbol.asyncDispose]() {
        await server.stop();
        await authority[Symbol.asyncDispose]();
      },
    };
  }

  /** The file's content. */
  function fieldsOf({ authority }: Pick<Setup, "authority">, more: object = {}): object {
    return {
      client_id: authority.clientId,
      refresh_token: authority.refreshToken,
      token_url: authority.tokenUrl,
      note: "kept as it is",
      ...more,
    };
  }

  async function writeLogin(setup: Setup, more: object = {}, name = "alice.oauth2"): Promise<string> {
    return writeSecret(setup.root, name, JSON.stringify(fieldsOf(setup, more)));
  }

  function backUp({ root, server }: Setup, more: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Result> {
    const to = `imaps://localhost:${server.tlsPort}`;
    const args = ["imap", "alice", join(root, "mail"), to, "--tls-ca", server.caFile, ...more];
    return runBackup(args, { BACKUP_DIR: root, ...env });
  }

  it.each([
    ["OAUTHBEARER", ["oauthbearer"]],
    ["XOAUTH2", ["xoauth2"]],
    ["both, of which the standard one is used", ["xoauth2", "oauthbearer"]],
  ] as const)("backs up an account of a server that offers %s", async (_name, mechanisms) => {
    await using setup = await setUp({ clientSecret: "client-secret-1" }, { mechanisms });
    await fillAccount(setup.server, { messages: 10 });
    await writeLogin(setup, { client_secret: "client-secret-1", scope: "mail offline" });
    // Which is wrong, and is not looked at.
    await writeSecret(setup.root, "alice.password", "wrong");
    const done = await backUp(setup, [], { DEBUG: "1" });
    expect(done.code, done.stderr).toBe(0);
    const folders = await readTree(join(setup.root, "mail"));
    const expected = await readServer(setup.server);
    expect(folders.reduce((sum, { messages }) => sum + messages.length, 0)).toBe(
      expected.folders.reduce((sum, { messages }) => sum + messages.length, 0),
    );
    const [form] = setup.authority.posted("/token");
    expect(form?.get("scope")).toBe("mail offline");
    const used = mechanisms.includes("oauthbearer" as never) ? "OAUTHBEARER" : "XOAUTH2";
    expect(done.stdout + done.stderr).toContain(`AUTHENTICATE ${used}`);
  });

  it("is one by --srcsecret, named .oauth2 or not", async () => {
    await using setup = await setUp();
    for (const name of ["elsewhere.oauth2", "srcsecret"]) {
      const file = await writeLogin(setup, {}, name);
      const done = await backUp(setup, ["--srcsecret", file]);
      expect(done.code, done.stderr).toBe(0);
    }
    expect(setup.authority.accessTokens).toHaveLength(2);
  });

  it("is one of a plan's variable, where what is renewed cannot be saved", async () => {
    await using setup = await setUp({ rotates: true });
    const { tlsPort, caFile } = setup.server;
    const action = {
      type: "imap",
      user: "alice",
      server: `imaps://localhost:${tlsPort}`,
      destination: join(setup.root, "mail"),
      "tls-ca": caFile,
      srcsecret: { env: "ALICE" },
    };
    const plan = join(setup.root, "plan.yaml");
    await writeFile(plan, JSON.stringify({ actions: [action] }));
    const done = await runBackup(["run", plan], { ALICE: JSON.stringify(fieldsOf(setup)), BACKUP_DIR: setup.root });
    expect(done.code, done.stdout + done.stderr).toBe(0);
    expect(done.stderr).toMatch(/renewed the login of alice, and the new one is not saved: .*it is read-only/);
  });

  it("may be a command that prints a token", async () => {
    await using setup = await setUp();
    const script = `const { access_token: token } = await (await fetch(process.argv[1], { method: "POST",
      body: new URLSearchParams(JSON.parse(process.argv[2])) })).json(); console.log(token);`;
    const form = {
      grant_type: "refresh_token",
      refresh_token: setup.authority.refreshToken,
      client_id: setup.authority.clientId,
    };
    const args = ["--input-type=module", "-e", script, setup.authority.tokenUrl, JSON.stringify(form)];
    await writeSecret(setup.root, "alice.oauth2", JSON.stringify({ command: [process.execPath, ...args] }));
    const done = await backUp(setup);
    expect(done.code, done.stderr).toBe(0);
    expect(setup.authority.accessTokens).toHaveLength(1);

    await writeSecret(setup.root, "alice.oauth2", JSON.stringify({ command: ["false"] }));
    const failed = await backUp(setup);
    expect(failed.code).toBe(2);
    expect(failed.stderr).toMatch(/alice\.oauth2: the command false ended with status 1; run it by hand to see why/);

    await writeSecret(setup.root, "alice.oauth2", JSON.stringify({ command: ["echo", "two words"] }));
    expect((await backUp(setup)).stderr).toMatch(/the command echo prints more than an access token/);
  });

  it("is renewed when a connection is made anew after its token has expired, and only then", async () => {
    await using setup = await setUp({ lifetimeS: 3600 });
    await fillAccount(setup.server, { messages: 10 });
    const file = await writeLogin(setup);
    const { authority, server } = setup;
    const login = loginWith(new Secret(await readFile(file, "utf8"), { file }), { user: "alice" });
    const ca = await readFile(server.caFile, "utf8");
    const at = { host: "localhost", port: server.tlsPort, security: "tls" as const };
    const parameters = { server: at, login, ca, connections: 1 };
    const once = async (name: string): Promise<string> => {
      await using source = new ImapSource(parameters);
      const store = new LocalStore(join(setup.root, name));
      return (await backup({ source, store })).result;
    };
    // Three connections with one token.
    for (const name of ["a", "b", "c"]) expect(await once(name)).toBe("done");
    expect(authority.accessTokens).toHaveLength(1);
    // The server does not take it any more, whatever it has said.
    authority.revokeAccess();
    // And gives such as are valid for less than a minute.
    authority.lifetimeS = 59;
    expect(await once("d")).toBe("done");
    expect(authority.accessTokens).toHaveLength(2);
    authority.lifetimeS = 3600;
    expect(await once("e")).toBe("done");
    expect(authority.accessTokens).toHaveLength(3);
    // One that is new and refused is an error, and not asked for again.
    const refusing = await startOAuth2Dovecot(await startAuthorizationServer({ user: "bob" }));
    try {
      const source = new ImapSource({
        ...parameters,
        server: { ...parameters.server, port: refusing.tlsPort },
        ca: await readFile(refusing.caFile, "utf8"),
      });
      authority.revokeAccess();
      const store = new LocalStore(join(setup.root, "f"));
      await expect(backup({ source, store })).rejects.toMatchObject({
        code: "AUTH_FAILED",
        message: expect.stringMatching(/refused the login of alice.*made for this account.*backup login imap alice/),
      });
      expect(authority.accessTokens).toHaveLength(4);
    } finally {
      await refusing.stop();
    }
  });

  it("is renewed in the middle of a run when the connection is lost and its token is about to expire", async () => {
    await using setup = await setUp({ lifetimeS: 59 });
    await fillAccount(setup.server, { messages: 20 });
    await writeLogin(setup);
    await using proxy = await startProxy({
      target: setup.server.tlsPort,
      fault: { kind: "cut", afterBytes: 20_000, times: 1 },
    });
    const done = await backUp({ ...setup, server: { ...setup.server, tlsPort: proxy.port } });
    expect(done.code, done.stderr).toBe(0);
    expect(proxy.struck).toBe(1);
    expect(setup.authority.accessTokens.length).toBe(proxy.connections);
    expect(await setup.server.log()).not.toMatch(/auth failed/);
  });

  describe("whose refresh token is renewed", () => {
    it("is saved, with the mode of its file, through a link, and all else as it was", async () => {
      await using setup = await setUp({ rotates: true });
      const file = await writeLogin(setup, {}, "real");
      await symlink("real", join(setup.root, "alice.oauth2"));
      await chmod(file, 0o640);
      for (const _ of [1, 2]) {
        const done = await backUp(setup);
        expect(done.code, done.stderr).toBe(0);
        expect(done.stderr).toBe("");
        expect(JSON.parse(await readFile(file, "utf8"))).toEqual(fieldsOf(setup));
      }
      expect((await stat(file)).mode & 0o777).toBe(0o640);
      expect(await readdir(setup.root)).toEqual(["alice.oauth2", "mail", "real"]);
    });

    it.each([
      ["a read-only directory", "directory"],
      ["a read-only file", "file"],
    ] as const)("warns where it cannot be saved: %s", async (_name, how) => {
      await using setup = await setUp({ rotates: true });
      const secrets = join(setup.root, "secrets");
      await mkdir(secrets);
      const file = await writeSecret(secrets, "alice.oauth2", JSON.stringify(fieldsOf(setup)));
      const before = await readFile(file, "utf8");
      if (how === "file") await chmod(file, 0o400);
      if (how === "directory") {
        await run("mount", ["--bind", secrets, secrets]);
        await run("mount", ["-o", "remount,bind,ro", secrets]);
      }
      try {
        const done = await backUp(setup, ["--srcsecret", file, "--json"]);
        expect(done.code, done.stderr).toBe(0);
        const warnings = eventsOf(done).filter(({ type }) => type === "warning");
        expect(warnings).toHaveLength(1);
        expect(warnings[0]).toMatchObject({
          code: "SECRET_UNWRITABLE",
          message: expect.stringMatching(
            /renewed the login of alice, and the new one is not saved: the secret .*alice\.oauth2 cannot be written \((EROFS|it is read-only)\)/,
          ),
        });
        expect(await readFile(file, "utf8")).toBe(before);
      } finally {
        if (how === "directory") await run("umount", [secrets]);
      }
    });

    it("is taken from its file when another run has renewed it", async () => {
      await using setup = await setUp({ rotates: true });
      const file = await writeLogin(setup);
      const login = loginWith(new Secret(await readFile(file, "utf8"), { file }), { user: "alice" });
      const done = await backUp(setup);
      expect(done.code, done.stderr).toBe(0);
      if ("password" in login) throw new Error("no OAuth2 login");
      const { token, isNew } = await login.tokens.get(AbortSignal.timeout(10_000));
      expect([isNew, token.reveal()]).toEqual([true, setup.authority.accessTokens[1]]);
    });
  });

  it("is refreshed once for several connections at the same time", async () => {
    await using authority = await startAuthorizationServer({ rotates: true });
    const text = JSON.stringify(fieldsOf({ authority }));
    const events: string[] = [];
    const login = loginWith(new Secret(text), { user: "alice", onEvent: ({ type }) => events.push(type) });
    if ("password" in login) throw new Error("no OAuth2 login");
    const { signal } = new AbortController();
    const tokens = await Promise.all([1, 2, 3].map(() => login.tokens.get(signal)));
    expect(tokens.map(({ isNew }) => isNew)).toEqual([true, false, false]);
    expect(authority.accessTokens).toHaveLength(1);
    const refused = tokens[0]?.token;
    const others = await Promise.all([1, 2, 3].map(() => login.tokens.get(signal, refused)));
    expect(others.map(({ isNew }) => isNew)).toEqual([true, false, false]);
    expect(authority.accessTokens).toHaveLength(2);
    // What came from no file can be saved nowhere; it is said once.
    expect(events).toEqual(["warning"]);
  });

  describe("that cannot be used", () => {
    it("says that it has expired or was revoked, and what to run", async () => {
      await using setup = await setUp();
      const file = await writeLogin(setup);
      setup.authority.revokeLogin();
      const done = await backUp(setup);
      expect(done.code).toBe(1);
      expect(done.stderr).toMatch(
        /the login in \S+alice\.oauth2 has expired or was revoked .*; run: backup login imap alice --out \S+alice\.oauth2\n$/,
      );
      expect(done.stderr).toContain("Token [secret] has been expired or revoked.");
      expect(done.stderr).toContain(file);
    });

    it.each([
      ["no JSON", "hunter2 {", /it is no object of JSON/],
      ["a list", '["hunter2"]', /it is no object of JSON/],
      ["nothing to log on with", '{"client_id":"hunter2"}', /it has no refresh_token/],
      ["no client", '{"refresh_token":"hunter2","provider":"google"}', /it has no client_id/],
      ["no address", '{"refresh_token":"hunter2","client_id":"x"}', /it has neither a provider nor a token_url/],
      ["a number", '{"refresh_token":12345678}', /its refresh_token is no text/],
      [
        "an unknown provider",
        '{"refresh_token":"hunter2","client_id":"x","provider":"constructor"}',
        /its provider is none of google, microsoft/,
      ],
      [
        "no TLS",
        '{"refresh_token":"hunter2","client_id":"x","token_url":"http://example.org/hunter2"}',
        /its token_url is not https:\/\/, and tokens are never sent unencrypted/,
      ],
      ["a command that is a line", '{"command":"echo hunter2"}', /its command is no list of texts/],
    ])("says what is wrong with its file: %s", async (_name, text, says) => {
      const file = await writeSecret(directory.path, "wrong.oauth2", text);
      const args = ["imap", "alice", join(directory.path, "never"), "localhost:143", "--srcsecret", file];
      const done = await runBackup([...args, "--json"], { DEBUG: "1" });
      expect(done.code).toBe(2);
      expect(done.stderr).toMatch(says);
      expect(done.stderr).toMatch(/wrong\.oauth2 is no OAuth2 login: .* backup login imap alice/);
      expect(done.stdout + done.stderr).not.toMatch(/hunter2|12345678/);
    });

    it("says that the server offers no such login", async () => {
      await using setup = await setUp({}, { mechanisms: [] });
      await writeLogin(setup);
      const done = await backUp(setup);
      expect(done.code).toBe(1);
      expect(done.stderr).toMatch(/offers no login with an OAuth2 token \(OAUTHBEARER or XOAUTH2\)/);
    });

    it("tries again what may go away, and says what does not", async () => {
      const trouble = { 1: { status: 503 }, 2: { status: 429 } } as const;
      await using setup = await setUp({
        fault: (path, nth) => (path === "/token" ? trouble[nth as keyof typeof trouble] : undefined),
      });
      await writeLogin(setup);
      expect((await backUp(setup)).code).toBe(0);
      expect(setup.authority.posted("/token")).toHaveLength(3);

      await writeLogin(setup, { client_id: "unknown" });
      expect((await backUp(setup)).stderr).toMatch(/does not accept client_id and client_secret/);
      await writeLogin(setup, { token_url: `${setup.authority.url}/nowhere` });
      expect((await backUp(setup)).stderr).toMatch(/does not answer \/nowhere as an OAuth2 server does \(status 404\)/);
      await writeLogin(setup, { token_url: "http://127.0.0.1:1/token" });
      expect((await backUp(setup)).stderr).toMatch(/127\.0\.0\.1:1 cannot be reached/);
    });
  });

  it("appears nowhere, with DEBUG=1 and --json, when it works and when it is refused", async () => {
    await using setup = await setUp({ rotates: true, clientSecret: "client-secret-1" });
    await writeLogin(setup, { client_secret: "client-secret-1" });
    const secrets = ["client-secret-1", setup.authority.refreshToken];
    const results = [await backUp(setup, [], { DEBUG: "1" }), await backUp(setup, ["--json"], { DEBUG: "1" })];
    expect(results.map(({ code }) => code)).toEqual([0, 0]);
    secrets.push(setup.authority.refreshToken);
    setup.authority.revokeLogin();
    results.push(await backUp(setup, ["--json"], { DEBUG: "1" }));
    expect(results[2]?.code).toBe(1);
    secrets.push(...setup.authority.accessTokens);
    expect(secrets).toHaveLength(5);
    const written = await run("grep", ["-r", "", join(setup.root, "mail")]);
    const texts = [...results.flatMap(({ stdout, stderr }) => [stdout, stderr]), written.stdout];
    for (const secret of secrets)
      for (const text of texts) {
        expect(text.includes(secret)).toBe(false);
        for (const skip of [0, 1, 2]) expect(text.includes(inBase64(secret, skip))).toBe(false);
      }
  });
});

/** Within a longer text, without the characters that depend on what is around it. */
function inBase64(secret: string, skip: number): string {
  const encoded = Buffer.concat([Buffer.alloc(skip), Buffer.from(secret)]).toString("base64");
  return encoded.slice(Math.ceil((skip * 8) / 6), Math.floor(((skip + secret.length) * 8) / 6));
}
