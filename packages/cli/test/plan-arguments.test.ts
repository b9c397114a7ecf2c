import { describe, expect, it } from "vitest";
import { ACTION_OPTIONS } from "../src/action-options.js";
import { makeParser } from "../src/parser.js";
import { COMMON_OPTIONS } from "../src/common-options.js";
import { planMaker } from "../src/plan/make-plan.js";
import type { CommonArguments } from "../src/types/action-type.js";
import { PLUGINS, fileType, imapType } from "./support/types.js";

/** What a type gets of a command line, without what is of the command line alone. */
async function fromCommandLine(line: string): Promise<object> {
  let found: object = {};
  await makeParser({ argv: line.split(" "), version: "1.0.0", plugins: PLUGINS }, async (_command, args) => {
    found = args;
  }).parseAsync();
  const common = Object.entries(COMMON_OPTIONS).flatMap(([name, option]) => [
    name,
    "alias" in option ? option.alias : name,
  ]);
  return Object.fromEntries(
    Object.entries(found).filter(([name, value]) => value !== undefined && ![...common, "_", "$0"].includes(name)),
  );
}

function fromPlan(action: string, { head = "", dryRun = false } = {}): object {
  let found: CommonArguments | undefined;
  const type = { ...imapType, create: (args: CommonArguments) => imapType.create((found = args)) };
  const text = `${head}\nactions:\n  - type: imap\n    user: alice@example.org\n    server: mail.example.org\n${action}`;
  planMaker([type])({ file: "plan.yaml", text, dryRun });
  return { ...found };
}

const IMAP = "imap alice@example.org";

describe("arguments of a plan's action are those of the command line", () => {
  it("with no options", async () => {
    expect(fromPlan("    destination: /srv/a")).toEqual(await fromCommandLine(`${IMAP} /srv/a mail.example.org`));
  });

  it("with all options", async () => {
    const plan = `    destination: nas:a
    name: Alice
    srcsecret: /secrets/a
    tls-ca: ca.pem
    folder: [INBOX, "Archive/**"]
    exclude-folder: Junk
    namespace: [other, shared]
    max-bytes-per-day: 2G
    timeout: 12.5
    connections: 2
    full: true
    hist: true
    histdate: 2026-11-23
    histkeep: true
    keep-deleted: true
    allow-deletes: true
    dry-run: true
    dstsecret: { file: /secrets/key }
    dstpassphrase: /secrets/passphrase
    transport: sftp
    ssh-port: 2222
    ssh-config: ssh.conf
    known-hosts: known_hosts
    host-key-fingerprint: SHA256:${"a".repeat(43)}
    spool: spool
    bwlimit: 100
`;
    // Whatever is added to the command line is to be tried here too.
    for (const name of Object.keys({ ...imapType.options, ...ACTION_OPTIONS })) expect(plan).toContain(`    ${name}: `);
    const line =
      "--name Alice --srcsecret /secrets/a --tls-ca ca.pem --folder INBOX --folder Archive/** --exclude-folder Junk " +
      "--namespace other --namespace shared --max-bytes-per-day 2G --timeout 12.5 --connections 2 --full --hist --histdate 2026-11-23 --histkeep --keep-deleted --allow-deletes --dry-run --dstsecret /secrets/key " +
      "--dstpassphrase /secrets/passphrase --transport sftp --ssh-port 2222 --ssh-config ssh.conf " +
      `--known-hosts known_hosts --host-key-fingerprint SHA256:${"a".repeat(43)} --spool spool --bwlimit 100`;
    expect(fromPlan(plan)).toEqual(await fromCommandLine(`${IMAP} nas:a mail.example.org ${line}`));
  });

  it("with options that defaults give, and some that an action changes", async () => {
    const head =
      "defaults: { timeout: 5, keep-deleted: true, folder: [A, B], srcsecret: /secrets/all, ssh-port: 2222 }";
    expect(
      fromPlan("    destination: nas:a\n    timeout: 7\n    keep-deleted: false\n    folder: C\n", { head }),
    ).toEqual(
      await fromCommandLine(
        `${IMAP} nas:a mail.example.org --timeout 7 --folder C --srcsecret /secrets/all --ssh-port 2222`,
      ),
    );
  });

  it("without what defaults say of other hosts, for a directory here", async () => {
    const head = "defaults: { transport: rsync, dstsecret: /secrets/key, dstpassphrase: { env: A }, timeout: 5 }";
    expect(fromPlan("    destination: ./a:b\n", { head })).toEqual(
      await fromCommandLine(`${IMAP} ./a:b mail.example.org --timeout 5`),
    );
  });

  it("with --dry-run, whatever the plan says", async () => {
    const expected = await fromCommandLine(`${IMAP} /srv/a mail.example.org --dry-run`);
    expect(fromPlan("    destination: /srv/a\n    dry-run: false\n", { dryRun: true })).toEqual(expected);
  });
});

describe("arguments of a tree", () => {
  it("are in a plan those of the command line, what follows -- among them", async () => {
    let found: object = {};
    const type = { ...fileType, create: (args: CommonArguments) => fileType.create(((found = args), args)) };
    const text = `actions:
  - type: file
    source: /srv/www
    destination: nas:www
    exclude: [cache/, "*.tmp"]
    include: keep.tmp
    require: .mounted
    one-file-system: true
    max-size: 2g
    inet: true
    rsync: [--fake-super, --chmod=F600]
`;
    planMaker([type])({ file: "plan.yaml", text, dryRun: false });
    const line =
      "file /srv/www nas:www --exclude cache/ --exclude *.tmp --include keep.tmp --require .mounted --one-file-system " +
      "--max-size 2g --inet --rsync=--fake-super -- --chmod=F600";
    const { "--": _rest, ...given } = { "--": [], ...(await fromCommandLine(line)) };
    expect(found).toEqual(given);
  });
});
