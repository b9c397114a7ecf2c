import { execFileSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loginOf } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { eventsOf, reportOf, runBackup, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { readTree } from "./support/tree.js";

describe("Dovecot with several namespaces", () => {
  let server: MailServer;
  let mail: TemporaryDirectory;
  let directory: TemporaryDirectory;
  let secret: string;

  beforeAll(async () => {
    mail = await temporaryDirectory();
    execFileSync("chown", ["mail:mail", mail.path]);
    chmodSync(mail.path, 0o755);
    const namespace = (name: string, type: string, list: string): string =>
      `namespace ${name} {\n type = ${type}\n separator = /\n prefix = ${name}/\n` +
      ` location = maildir:${mail.path}/${name}\n subscriptions = no\n list = ${list}\n}\n`;
    const extraConfig = [namespace("Public", "public", "yes"), namespace("Board", "public", "no")]
      .concat(namespace("Second", "private", "no"))
      .join("");
    server = await startDovecot({ extraConfig });
    directory = await temporaryDirectory();
    secret = await writeSecret(directory.path, "alice.password", "secret");
    await using appender = await openAppender(loginOf(server));
    const folders = ["Mine", "Public/News", "Board/Minutes", "Second/Old"];
    for (const [index, name] of folders.entries()) {
      await appender.createFolder(name);
      await appender.append(name, makeMessages({ count: 2, seed: index + 1 }));
    }
  });
  afterAll(async () => {
    await server?.stop();
    await mail?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });

  const mirror = async (...more: readonly string[]) =>
    await runBackup(
      ["imap", "alice", join(directory.path, "a"), `imaps://localhost:${server.tlsPort}`].concat(
        ["--srcsecret", secret, "--tls-ca", server.caFile, "--json"],
        more,
      ),
    );
  const filled = async (): Promise<readonly string[]> =>
    (await readTree(join(directory.path, "a")))
      .filter(({ messages }) => messages.length > 0)
      .map(({ directory: at }) => at);

  it("has the personal ones mirrored, also one that is not listed with the first, and names what is left out", async () => {
    const result = await mirror();
    expect(result).toExit(0);
    expect(await filled()).toEqual(["Mine", "Second/Old"]);
    const warnings = eventsOf(result).flatMap((event) => (event.type === "warning" ? [event.message] : []));
    expect(warnings).toEqual([expect.stringMatching(/left out, --namespace other,shared takes them: .*Public\/News/)]);
  });

  it("has the shared ones too when they are asked for, and leaves them alone afterwards", async () => {
    expect(await mirror("--namespace", "shared")).toExit(0);
    expect(await filled()).toEqual(["Board/Minutes", "Mine", "Public/News", "Second/Old"]);
    const again = await mirror();
    expect(again).toExit(0);
    expect(reportOf(again)).toMatchObject({ added: 0, removed: 0 });
    expect(await filled()).toHaveLength(4);
  });

  it("has one that is asked for and is not there reported, and deletes nothing", async () => {
    const result = await mirror("--namespace", "other,shared");
    expect(result).toExit(3);
    expect(reportOf(result)).toMatchObject({ result: "partial", failed: 1, removed: 0 });
    expect(await mirror("--namespace", "public")).toExit(2);
  });
});
