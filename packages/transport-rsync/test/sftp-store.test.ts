import { join } from "node:path";
import { type StoreFixture, storeSuite } from "@backup/core/testing";
import { describe, it } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { SftpStore } from "../src/sftp-store.js";
import { Spool } from "../src/spool.js";
import { ALL, type SftpHostOptions, sftpHost } from "./support/sftp-host.js";

function sftpFixture(options: Partial<SftpHostOptions>): StoreFixture {
  const made: AsyncDisposable[] = [];
  const places = new Map<string, string>();
  const open = (home: string, name: string): SftpStore => {
    places.set(name, home);
    const spool = new Spool({ directory: join(home, "spool") });
    const host = sftpHost({ home, ...options });
    made.push(spool, host);
    return new SftpStore({ name, host, directory: "made/by/lease", spool });
  };
  return {
    stampMs: 1,
    async open() {
      const directory: TemporaryDirectory = await temporaryDirectory();
      made.unshift(directory);
      return open(directory.path, `nas:${directory.path}`);
    },
    reopen: async (store) => open(places.get(store.name) ?? "", store.name),
    async cleanup() {
      for (const resource of made.splice(0).toReversed()) await resource[Symbol.asyncDispose]();
    },
  };
}

describe.each([{ without: [] }, { without: ALL }, { without: ["posix-rename@openssh.com"] }])(
  "SftpStore on a server without $without, as a Store",
  ({ without }) => {
    // Most of the time they wait for the next second.
    for (const { name, run } of storeSuite) it.concurrent(name, () => run(sftpFixture({ without })));
  },
);
