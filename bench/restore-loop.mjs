/**
 * What a restore is compared with: node bench/restore-loop.mjs MIRROR PORT SECRETFILE CAFILE. Appends every message of a
 * backup by imapflow, one after the other, with its date and without its flags.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { ImapFlow } from "imapflow";

const [mirror, port, secretFile, caFile] = process.argv.slice(2);
const client = new ImapFlow({
  host: "localhost",
  port: Number(port),
  secure: true,
  tls: { ca: readFileSync(caFile, "utf8") },
  auth: { user: "alice", pass: readFileSync(secretFile, "utf8").trim() },
  disableCompression: true,
  logger: false,
});
await client.connect();
for (const entry of readdirSync(mirror, { recursive: true, withFileTypes: true })) {
  const directory = join(entry.parentPath, entry.name);
  const messages = join(directory, "cur");
  if (!entry.isDirectory() || !existsSync(messages)) continue;
  const folder = relative(mirror, directory);
  if (folder !== "INBOX") await client.mailboxCreate(folder);
  for (const name of readdirSync(messages)) {
    const date = new Date(Number.parseInt(name, 10) * 1000);
    await client.append(folder, readFileSync(join(messages, name)), [], date);
  }
}
await client.logout();
