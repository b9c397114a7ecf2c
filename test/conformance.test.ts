import { readFile } from "node:fs/promises";
import { Secret } from "@backup/core";
import { type SourceFixture, sourceSuite } from "@backup/core/testing";
import { ImapSource } from "@backup/imap";
import { afterAll, beforeAll, describe, it } from "vitest";
import { fillAccount } from "./support/account.js";
import { startCyrus } from "./support/cyrus.js";
import { startDovecot } from "./support/dovecot.js";
import { BARE_CAPABILITIES, makeFolder, startFakeImap } from "./support/fake-imap.js";
import type { MailServer } from "./support/mail-server.js";

describe.each([
  ["Dovecot", startDovecot],
  ["Cyrus", startCyrus],
] as const)("the IMAP source with %s keeps what a source promises", (_name, start) => {
  let server: MailServer;
  let ca: string;
  beforeAll(async () => {
    server = await start();
    ca = await readFile(server.caFile, "utf8");
    await fillAccount(server, { messages: 24 });
  });
  afterAll(() => server?.stop());

  const fixture: SourceFixture = {
    open: () =>
      Promise.resolve(
        new ImapSource({
          server: { host: "localhost", port: server.tlsPort, security: "tls" },
          login: { user: "alice", password: new Secret("secret") },
          ca,
        }),
      ),
  };
  for (const { name, run } of sourceSuite) it(name, () => run(fixture));
});

describe("the IMAP source with a server that offers nothing keeps what a source promises", () => {
  let server: Awaited<ReturnType<typeof startFakeImap>>;
  beforeAll(async () => {
    server = await startFakeImap({
      capabilities: BARE_CAPABILITIES,
      folders: new Map([
        ["INBOX", makeFolder(5)],
        ["Archive", makeFolder(3, { uidvalidity: 4_294_967_295 })],
        ["Archive/cur", makeFolder(1)],
        ["Empty", makeFolder(0)],
      ]),
    });
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  const fixture: SourceFixture = {
    open: () =>
      Promise.resolve(
        new ImapSource({
          server: { host: "localhost", port: server.tlsPort, security: "tls" },
          login: { user: "alice", password: new Secret("secret") },
          ca: server.ca,
        }),
      ),
  };
  for (const { name, run } of sourceSuite) it(name, () => run(fixture));
});
