import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { MailServer } from "./mail-server.js";

const run = promisify(execFile);

/** Users u0 … with a password each. */
export function fleetUsers(count: number): Readonly<Record<string, string>> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`u${index}`, `secret${index}`]));
}

/** Messages in a user's INBOX, as files of the server. */
export async function fillMailbox(server: MailServer, user: string, messages: number): Promise<void> {
  const directory = join(server.mailDir(user), "new");
  for (const name of ["cur", "new", "tmp"]) await mkdir(join(server.mailDir(user), name), { recursive: true });
  for (let index = 0; index < messages; index++)
    await writeFile(join(directory, `${1_700_000_000 + index}.${user}${index}.test`), messageOf(user, index));
  await run("chown", ["-R", "mail:mail", dirname(server.mailDir(user))]);
}

function messageOf(user: string, index: number): string {
  return `From: ${user}@example.org\r\nSubject: ${index}\r\n\r\n${`message ${index} of ${user}\r\n`.repeat(20 + index)}`;
}

/** What messages a Maildir directory holds, whatever their files are called: sorted digests of their bytes. */
export async function digestsIn(directory: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const leaf of ["cur", "new"])
    for (const name of await readdir(join(directory, leaf)))
      found.push(
        createHash("sha256")
          .update(await readFile(join(directory, leaf, name)))
          .digest("hex"),
      );
  return found.toSorted();
}

/** A list of accounts, each with its password's file and a destination of its own. */
export async function writeAccounts(
  { server, directory }: { readonly server: MailServer; readonly directory: string },
  users: Readonly<Record<string, string>>,
): Promise<string> {
  const rows = ["user,destination,server,srcsecret,tls-ca"];
  await mkdir(join(directory, "secrets"), { recursive: true });
  for (const [user, password] of Object.entries(users)) {
    const secret = join(directory, "secrets", user);
    await writeFile(secret, password, { mode: 0o600 });
    rows.push(`${user},${join(directory, "to", user)},imaps://localhost:${server.tlsPort},${secret},${server.caFile}`);
  }
  await mkdir(join(directory, "to"), { recursive: true });
  const file = join(directory, "accounts.csv");
  await writeFile(file, `${rows.join("\n")}\n`);
  return file;
}

/** What test/support/fleet-recorder.mjs notes. */
export interface LeaseRecord {
  readonly type: "lease" | "end" | "error";
  readonly destination?: string;
  readonly fence?: number;
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** One writer at one destination, from its lease to its end. */
export interface Writing {
  readonly destination: string;
  readonly fence: number;
  readonly from: number;
  /** Undefined: it was killed, and nobody knows when. */
  readonly to: number | undefined;
}

/** Who wrote where and when, the first fence first. */
export async function writingsOf(file: string, kills: ReadonlyMap<number, number>): Promise<readonly Writing[]> {
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
  const records = lines.map((line) => JSON.parse(line) as LeaseRecord);
  return records
    .flatMap(({ type, destination = "", fence = 0, pid, at: from }) => {
      if (type !== "lease") return [];
      const end = records.find((other) => other.pid === pid && other.type !== "lease" && other.at >= from);
      return [{ destination, fence, from, to: end?.at ?? kills.get(pid) }];
    })
    .toSorted((a, b) => a.fence - b.fence);
}
