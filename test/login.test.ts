import { chmod, mkdir, readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { busy } from "./support/busy.js";
import { type AuthorizationServer, startAuthorizationServer } from "./support/authorization-server.js";
import { type Running, runBackup, startBackup, writeSecret } from "./support/command.js";
import { startOAuth2Dovecot } from "./support/oauth2-dovecot.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

describe("backup login imap", () => {
  let directory: TemporaryDirectory;
  beforeEach(async () => {
    directory = await temporaryDirectory();
  });
  afterEach(() => directory?.[Symbol.asyncDispose]());

  const env = (): NodeJS.ProcessEnv => ({ BACKUP_DIR: directory.path, DEBUG: "1" });
  const file = (): string => join(directory.path, "alice.oauth2");
  const deviceArgs = ({ clientId, tokenUrl, deviceUrl }: AuthorizationServer): string[] =>
    ["login", "imap", "alice", "--client-id", clientId].concat("--token-url", tokenUrl, "--device-url", deviceUrl);
  const browserArgs = ({ clientId, tokenUrl, authUrl }: AuthorizationServer): string[] =>
    ["login", "imap", "alice", "--client-id", clientId].concat(
      ["--token-url", tokenUrl, "--auth-url", authUrl],
      ["--scope", "mail"],
    );

  /** What it has printed, once that says what is looked for. */
  function printed({ child, result }: Running, pattern: RegExp): Promise<RegExpExecArray> {
    let text = "";
    return new Promise((fulfil, reject) => {
      child.stdout?.on("data", (data: Buffer) => {
        text += data.toString();
        const match = pattern.exec(text);
        if (match) fulfil(match);
      });
      result.then(
        ({ stderr }) => reject(new Error(`it ended: ${text} ${stderr}`)),
        (error: unknown) => reject(new Error("it failed", { cause: error })),
      );
    });
  }

  it("shows a code, waits as long as it is told to, and writes a file that a backup logs on with", async () => {
    await using authority = await startAuthorizationServer({ polls: ["authorization_pending", "slow_down"] });
    const done = await runBackup([...deviceArgs(authority), "--scope", "mail"], env());
    expect(done.code, done.stderr).toBe(0);
    expect(done.stdout).toContain("Open https://login.example.org/device in any browser, and type this code there:");
    expect(done.stdout).toContain("\n  WDJB-MJHT\n");
    expect(done.stdout).toMatch(/alice is logged on; \S+alice\.oauth2 is written\n$/);
    expect(authority.posted("/device")[0]?.get("scope")).toBe("mail");
    const times = authority.timesOf("/token");
    const pauses = times.slice(1).map((at, index) => Math.round((at - (times[index] ?? 0)) / 1000));
    expect(pauses).toEqual([1, 6]);

    expect((await stat(file())).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(file(), "utf8"))).toEqual({
      client_id: authority.clientId,
      token_url: authority.tokenUrl,
      device_url: authority.deviceUrl,
      scope: "mail",
      refresh_token: authority.refreshToken,
    });
    for (const secret of [authority.refreshToken, ...authority.accessTokens])
      expect((done.stdout + done.stderr).includes(secret)).toBe(false);

    await using server = await startOAuth2Dovecot(authority);
    const to = ["imap", "alice", join(directory.path, "mail"), `imaps://localhost:${server.tlsPort}`];
    const backedUp = await runBackup([...to, "--tls-ca", server.caFile], env());
    expect(backedUp.code, backedUp.stderr).toBe(0);
  });

  it("goes by what the file says when only the user is named", async () => {
    await using authority = await startAuthorizationServer({ clientSecret: "client-secret-1" });
    const secret = await writeSecret(directory.path, "client", "client-secret-1");
    const first = await runBackup([...deviceArgs(authority), "--client-secret-file", secret], env());
    expect(first.code, first.stderr).toBe(0);
    authority.revokeLogin();
    const again = await runBackup(["login", "imap", "alice", "--json"], { BACKUP_DIR: directory.path });
    expect(again.code, again.stderr).toBe(0);
    expect(again.stdout.split("\n").map((line) => line && (JSON.parse(line) as unknown))).toEqual([
      { type: "login", url: "https://login.example.org/device", code: "WDJB-MJHT", expiresInS: 600 },
      { type: "logged-on", user: "alice", file: file() },
      "",
    ]);
    expect(JSON.parse(await readFile(file(), "utf8"))).toMatchObject({
      client_secret: "client-secret-1",
      refresh_token: authority.refreshToken,
    });
    expect((first.stdout + first.stderr).includes("client-secret-1")).toBe(false);
  });

  it.each([
    ["denied", { polls: ["access_denied"] }, /the login was denied .*if that was not meant, log on again/],
    ["declined", { polls: ["authorization_declined"] }, /the login was denied/],
    ["expired", { polls: ["expired_token"] }, /the login was not completed in time; start it again/],
    [
      "expired without a word",
      { polls: Array.from({ length: 9 }, () => "authorization_pending"), deviceExpiresInS: 2 },
      /the login was not completed in time; start it again/,
    ],
    ["refused", { polls: ["unauthorized_client"] }, /does not let this client_id log on in this way/],
    ["answered strangely", { polls: ["out_of_paper"] }, /gave no token \("out_of_paper: because of out_of_paper"\)/],
  ])("ends, and writes nothing, when it is %s", async (_name, options, says) => {
    await using authority = await startAuthorizationServer(options);
    const done = await runBackup(deviceArgs(authority), env());
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(says);
    expect(await readdir(directory.path)).toEqual([]);
  });

  it("logs on in a browser, and lets nobody else answer", async () => {
    await using authority = await startAuthorizationServer();
    const running = startBackup(browserArgs(authority), env());
    const [, address = ""] = await printed(running, /in a browser of this machine, and log on:\n {2}(\S+)\n/);
    const url = new URL(address);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      response_type: "code",
      scope: "mail",
      code_challenge_method: "S256",
    });
    const redirect = url.searchParams.get("redirect_uri") ?? "";
    expect(redirect).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    for (const path of ["", "?code=stolen", "?code=stolen&state=wrong", "favicon.ico"])
      expect((await fetch(`${redirect}${path}`)).status).toBe(404);
    const answer = await fetch(url);
    expect([answer.status, await answer.text()]).toEqual([200, "Done. Close this window, and see what backup says.\n"]);
    const done = await running.result;
    expect(done.code, done.stderr).toBe(0);
    expect(JSON.parse(await readFile(file(), "utf8"))).toMatchObject({
      auth_url: authority.authUrl,
      refresh_token: authority.refreshToken,
    });
  });

  it("says so when it is denied in the browser", async () => {
    await using authority = await startAuthorizationServer();
    const running = startBackup(browserArgs(authority), env());
    const [, address = ""] = await printed(running, /\n {2}(http\S+)\n/);
    const { searchParams } = new URL(address);
    const query = new URLSearchParams({ error: "access_denied", state: searchParams.get("state") ?? "" });
    await fetch(`${searchParams.get("redirect_uri")}?${query.toString()}`);
    const done = await running.result;
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/the login was denied/);
    expect(await readdir(directory.path)).toEqual([]);
  });

  it.each([
    ["device", deviceArgs],
    ["browser", browserArgs],
  ])("is ended by Ctrl-C at once, with 130: %s", async (_name, args) => {
    await using authority = await startAuthorizationServer({
      polls: Array.from({ length: 99 }, () => "authorization_pending"),
    });
    const running = startBackup(args(authority), env());
    await printed(running, /Waiting/);
    await setTimeout(300);
    const at = performance.now();
    running.child.kill("SIGINT");
    const done = await running.result;
    expect(performance.now() - at).toBeLessThan(busy(1500));
    expect(done.code).toBe(130);
    expect(done.stderr).toContain("backup: stopped; nobody was logged on, and no file was written\n");
    expect(await readdir(directory.path)).toEqual([]);
  });

  it("goes to the addresses of the providers", async () => {
    const args = ["login", "imap", "alice@gmail.com", "--provider", "google", "--client-id", "an-id"];
    const running = startBackup(args, env());
    const [, address = ""] = await printed(running, /\n {2}(https\S+)\n/);
    running.child.kill("SIGINT");
    await running.result;
    const url = new URL(address);
    expect(url.origin + url.pathname).toBe("https://accounts.google.com/o/oauth2/v2/auth");
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      scope: "https://mail.google.com/",
      access_type: "offline",
      prompt: "consent",
      client_id: "an-id",
    });
  });

  it.each([
    ["no client", ["--provider", "google"], /--client-id is missing, and \S+alice\.oauth2 names none/],
    ["nobody to ask", ["--client-id", "x"], /say whom to log on to: --provider google or microsoft, or --token-url/],
    ["no way", ["--client-id", "x", "--token-url", "https://x.example/token"], /--device-url .* or --auth-url/],
    ["two ways", ["--device-url", "https://x.example", "--auth-url", "https://x.example"], /two ways to log on/],
    ["no TLS", ["--client-id", "x", "--token-url", "http://x.example/"], /--token-url is not https/],
    ["no address", ["--client-id", "x", "--token-url", "x.example"], /--token-url is no address/],
    ["an unknown provider", ["--provider", "yahoo"], /provider takes one of/],
    ["a secret without its client", ["--client-secret-file", "/x"], /needs --client-id/],
    ["a relative secret", ["--client-id", "x", "--client-secret-file", "x"], /must be an absolute path/],
    ["a secret as an argument", ["--client-secret", "x"], /there is no option --client-secret; did you mean --client-/],
    ["a directory that is missing", ["--client-id", "x", "--out", "/nowhere/x.oauth2"], /cannot be written \(ENOENT\)/],
  ])("refuses wrong usage: %s", async (_name, more, says) => {
    const done = await runBackup(["login", "imap", "alice", ...more], { BACKUP_DIR: directory.path });
    expect(done.code).toBe(2);
    expect(done.stderr).toMatch(says);
  });

  it("says what it takes", async () => {
    expect((await runBackup(["login", "imap"])).stderr).toMatch(/USER missing; backup login imap takes USER/);
    expect((await runBackup(["login"])).stderr).toMatch(/imap/);
  });

  it("leaves a file alone that is read-only", async () => {
    await using authority = await startAuthorizationServer();
    await mkdir(join(directory.path, "own"));
    const kept = await writeSecret(join(directory.path, "own"), "a.oauth2", "{}");
    await chmod(kept, 0o400);
    const done = await runBackup([...deviceArgs(authority), "--out", kept], env());
    expect(done.code).toBe(2);
    expect(done.stderr).toMatch(/a\.oauth2 cannot be written \(it is read-only\); make it writable/);
    expect(authority.posted("/device")).toEqual([]);
    expect(await readFile(kept, "utf8")).toBe("{}\n");
    expect(await readdir(join(directory.path, "own"))).toEqual(["a.oauth2"]);
  });
});
