import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BackupError, Secret, openPluginContext } from "@backup/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeCertificate } from "../../../test/support/certificate.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { imapPlugin } from "../src/plugin.js";

describe("the plugin", () => {
  let directory: TemporaryDirectory;
  let pem: string;
  beforeAll(async () => {
    directory = await temporaryDirectory();
    pem = join(directory.path, "ca.pem");
    await writeFile(pem, (await makeCertificate()).cert);
  });
  afterAll(() => directory?.[Symbol.asyncDispose]());

  const asked: { partner: string; extensions: readonly string[] }[] = [];
  const create = (options: Partial<Parameters<typeof imapPlugin.create>[0]> = {}) =>
    imapPlugin.create(
      {
        user: "alice@example.org",
        server: "mail.example.org",
        dest: "/backup/alice",
        timeout: 60,
        connections: 4,
        folder: [],
        excludeFolder: [],
        namespace: [],
        full: false,
        watch: false,
        watchFolder: [],
        ...options,
      },
      {
        ...openPluginContext({ args: {}, onEvent: () => {}, signal: new AbortController().signal }),
        secret: (query) => {
          asked.push(query);
          return Promise.resolve(new Secret("secret"));
        },
      },
    );

  it("says what it is, in one line", () => {
    expect(imapPlugin).toMatchObject({ api: 1, kind: "source", name: "imap" });
    expect(imapPlugin.summary).toMatch(/^[^\n]+$/);
  });

  it("makes a source of the account, without connecting, and asks for the user's login", async () => {
    asked.length = 0;
    await using source = await create({ tlsCa: pem });
    expect(source.id).toContain("alice@example.org");
    expect(source.id).not.toContain("secret");
    expect(source.leaves).toEqual(["cur", "new", "tmp"]);
    expect(asked).toEqual([{ partner: "alice@example.org", extensions: [".oauth2", ".password"] }]);
  });

  it.each(["", "a b", "host:0", "host:1143", "http://host", "host:99999", "user@host"])(
    "refuses the server %j before it asks for a password",
    async (server) => {
      asked.length = 0;
      await expect(create({ server })).rejects.toMatchObject({ code: "USAGE" });
      expect(asked).toEqual([]);
    },
  );

  it("refuses certificates that cannot be read, are none, or are broken", async () => {
    const refused = async (tlsCa: string, says: RegExp): Promise<void> => {
      const error: unknown = await create({ tlsCa }).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(BackupError);
      expect(error).toMatchObject({ code: "USAGE" });
      expect(String(error)).toMatch(says);
      expect(String(error)).toContain(tlsCa);
    };
    await refused(join(directory.path, "missing.pem"), /cannot be read \(ENOENT\)/);
    await refused(directory.path, /cannot be read \(EISDIR\)/);
    const text = await readFile(pem, "utf8");
    const cases: readonly [string, string][] = [
      ["empty.pem", ""],
      ["text.pem", "hello"],
      ["key.pem", (await makeCertificate()).key],
      ["half.pem", text.slice(0, text.length / 2)],
      ["spoiled.pem", text.replace(/\n.{20}/, "\nAAAAAAAAAAAAAAAAAAAA")],
      ["second-is-half.pem", text + text.slice(0, text.length / 2)],
    ];
    for (const [name, content] of cases) {
      await writeFile(join(directory.path, name), content);
      await refused(join(directory.path, name), /certificate/);
    }
  });

  it("takes several certificates, and text around them", async () => {
    const text = await readFile(pem, "utf8");
    const bundle = join(directory.path, "bundle.pem");
    await writeFile(
      bundle,
      `# mine\n${text}\n# and another one\n${(await makeCertificate()).cert.replaceAll("\n", "\r\n")}`,
    );
    await using source = await create({ tlsCa: bundle });
    expect(source.id).toContain("alice");
  });
});
