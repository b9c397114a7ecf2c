/**
 * The contender `raw`: node bench/raw.mjs PORT CA-FILE USER SECRET-FILE. One body fetch per folder, bytes thrown away.
 * Prints `{ "messages": …, "bytes": … }`.
 */
import { readFileSync } from "node:fs";
import { connect } from "./imap-client.mjs";

const [port, ca, user, secret] = process.argv.slice(2);
const client = await connect({
  port: Number(port),
  ca: readFileSync(ca, "utf8"),
  user,
  password: readFileSync(secret, "utf8").trim(),
});
await client.fetchEverything("BODY.PEEK[]");
console.log(JSON.stringify({ messages: client.rows, bytes: client.bytes }));
await client.logout();
