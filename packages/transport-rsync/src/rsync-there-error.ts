import { BackupError, type ErrorCode } from "@backup/core";
import { RsyncExit, rsyncError } from "./rsync-errors.js";
import { type EndedThere, type RsyncThere, endsOf } from "./rsync-there.js";

/** What ssh(1) of a host says of another one; `{near}` and `{far}` are the two. */
const RULES: readonly { readonly said: RegExp; readonly code: ErrorCode; readonly message: string }[] = [
  {
    said: /Failed to exec ssh/,
    code: "TRANSPORT_MISSING",
    message: "{near} has no ssh that could reach {far}; install it there, or leave out --runonsrc and --runondst",
  },
  {
    said: /host key is known for|Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/,
    code: "HOST_KEY_UNKNOWN",
    message: "{near} does not know the host key that {far} shows; put it into known_hosts of the account there",
  },
  {
    said: /Permission denied \([a-z]|Too many authentication failures/,
    code: "AUTH_FAILED",
    message: "{far} refused the login of {near}; give the account there a key that it takes",
  },
  {
    said: /Could not resolve hostname/,
    code: "HOST_UNKNOWN",
    message: "{near} knows no host {far}; name it as ssh there knows it",
  },
  {
    said: /Connection refused|Connection timed out|No route to host|Network is unreachable/,
    code: "CONNECTION_REFUSED",
    message: "{near} does not reach {far}; leave out --runonsrc and --runondst, and all goes through this machine",
  },
];

/** What ended rsync(1) between two other hosts, for a person. */
export function thereError(ended: EndedThere, run: Pick<RsyncThere, "from" | "to" | "by">): BackupError {
  const exit = new RsyncExit(ended);
  const ends = endsOf(run);
  const [near, far] = [ends.near.shell.target, ends.far.shell.target];
  const fill = (message: string): string =>
    message.replace(/\{(near|far)\}/g, (_all, name) => (name === "near" ? near : far));
  const lines = ended.stderr.split("\n");
  if (!ended.isBegun && ended.code !== null && ended.code !== 255) {
    const said = lines[0] ? ` (${lines[0].replace(/\p{Cc}+/gu, " ").slice(0, 300)})` : "";
    const message = `${near} runs no command for this account${said}; between two other hosts rsync is run there by its shell`;
    return new BackupError("TRANSPORT_MISSING", message, { cause: exit });
  }
  const rule = run.by === "here" ? undefined : RULES.find(({ said }) => lines.some((line) => said.test(line)));
  if (rule) return new BackupError(rule.code, fill(rule.message), { cause: exit });
  // Newer ones say which of the two has complained.
  const isSender = lines.some((line) => /^rsync: \[sender\]/i.test(line));
  const host = ended.of === "far" ? far : isSender ? run.from.shell.target : near;
  return rsyncError(exit, { host, direction: "push" });
}
