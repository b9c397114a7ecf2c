import { Secret } from "@backup/core";
import { describe, expect, it } from "vitest";
import { type FakeImap, makeFolder, startFakeImap } from "../../../test/support/fake-imap.js";
import { ImapSource } from "../src/imap-source.js";

const MESSAGE = `1.V1U1D${"a".repeat(26)}.backup,S=5:2,`;

function sourceOf(server: Pick<FakeImap, "tlsPort" | "ca">): ImapSource {
  return new ImapSource({
    server: { host: "localhost", port: server.tlsPort, security: "tls" },
    login: { user: "alice", password: new Secret("secret") },
    ca: server.ca,
  });
}

describe("a file at the destination", () => {
  const { identify } = sourceOf({ tlsPort: 1, ca: "" }).naming({ colon: true });
  const identified = (path: string) => identify({ path, size: 5, mtime: 0 })?.identity.id;

  it.each([
    [`INBOX/cur/${MESSAGE}`, "V1U1"],
    ["INBOX/dovecot-keywords", "dovecot-keywords"],
    ["a/b/backup-keywords", "backup-keywords"],
  ])("%s is ours", (path, id) => {
    expect(identified(path)).toBe(id);
  });

  it.each(["cur", "new", "tmp"])("in a folder's %s is no file of keywords", (leaf) => {
    for (const name of ["dovecot-keywords", "backup-keywords"]) {
      expect(identified(`INBOX/${leaf}/${name}`)).toBeUndefined();
      expect(identified(`${leaf}/${name}`)).toBeUndefined();
    }
  });

  it.each(["new", "tmp"])("in a folder's %s is no message of ours", (leaf) => {
    expect(identified(`INBOX/${leaf}/${MESSAGE}`)).toBeUndefined();
  });
});

describe("a run", () => {
  const folders = () => new Map([["INBOX", makeFolder(1)]]);
  const namesOf = async (source: ImapSource, signal: AbortSignal): Promise<string[]> => {
    const names: string[] = [];
    for await (const { name } of source.collections(signal)) names.push(name);
    return names;
  };

  it("that is the second of its source ends soon after its own signal", async () => {
    await using server = await startFakeImap({ folders: folders() });
    await using source = sourceOf(server);
    const first = new AbortController();
    expect(await namesOf(source, first.signal)).toEqual(["INBOX"]);

    const second = new AbortController();
    server.fault = ({ command }) => {
      if (command !== "LIST") return undefined;
      setTimeout(() => second.abort(), 50);
      return { type: "stall" };
    };
    const started = performance.now();
    await expect(namesOf(source, second.signal)).rejects.toMatchObject({ code: "ABORTED" });
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(server.connections).toBe(1);
  });

  it("is not ended by the signal of an earlier one", async () => {
    await using server = await startFakeImap({ folders: folders() });
    await using source = sourceOf(server);
    const first = new AbortController();
    await namesOf(source, first.signal);
    server.fault = ({ command }) => {
      if (command === "LIST") first.abort();
      return undefined;
    };
    expect(await namesOf(source, new AbortController().signal)).toEqual(["INBOX"]);
    expect(server.connections).toBe(1);
  });

  it("that is aborted while it connects ends soon", async () => {
    const abort = new AbortController();
    await using server = await startFakeImap({
      folders: folders(),
      fault: ({ command }) => {
        if (command !== "GREETING") return undefined;
        setTimeout(() => abort.abort(), 50);
        return { type: "stall" };
      },
    });
    await using source = sourceOf(server);
    const started = performance.now();
    await expect(namesOf(source, abort.signal)).rejects.toMatchObject({ code: "ABORTED" });
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
