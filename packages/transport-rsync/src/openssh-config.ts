import { userInfo } from "node:os";
import { join } from "node:path";
import { BackupError } from "@backup/core";
import { type Environment, spawnSsh } from "./openssh-process.js";
import { oneLine } from "./ssh-errors.js";

/** What ssh_config(5) says for a host. */
export interface SshConfig {
  readonly hostname: string;
  readonly port: number;
  readonly user: string;
  /** What known_hosts files call it, instead of its name. */
  readonly hostKeyAlias: string | undefined;
  readonly userKnownHosts: readonly string[];
  readonly globalKnownHosts: readonly string[];
  /** StrictHostKeyChecking is yes: nothing is pinned without being asked for. */
  readonly strict: boolean;
}

export interface SshTarget {
  readonly program: string;
  /** `[user@]host` */
  readonly target: string;
  readonly port: number | undefined;
  readonly sshConfig: string | undefined;
  readonly env: Environment;
}

/**
 * Asks `ssh -G`.
 * @throws BackupError USAGE for a configuration that ssh does not understand; CONNECTION_LOST when somebody ended ssh
 */
export async function resolveConfig({ program, target, port, sshConfig, env }: SshTarget): Promise<SshConfig> {
  const args = [
    ...(sshConfig === undefined ? [] : ["-F", sshConfig]),
    ...(port === undefined ? [] : ["-p", `${port}`]),
  ];
  const child = spawnSsh(program, ["-G", "-T", ...args, "--", target], env);
  child.input.end();
  const chunks: Buffer[] = [];
  child.output.on("data", (chunk: Buffer) => chunks.push(chunk));
  const code = await child.ended;
  if (code < 0) {
    const why = oneLine(child.stderr()) || "a signal";
    throw new BackupError("CONNECTION_LOST", `${program} was ended by ${why}; run again`, { transient: true });
  }
  if (code !== 0) throw new BackupError("USAGE", `the ssh configuration is wrong: ${oneLine(child.stderr())}`);
  return parseConfig(Buffer.concat(chunks).toString("utf8"));
}

function parseConfig(text: string): SshConfig {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const cut = line.indexOf(" ");
    if (cut < 0) continue;
    const key = line.slice(0, cut);
    if (!values.has(key)) values.set(key, line.slice(cut + 1));
  }
  const one = (key: string): string | undefined => values.get(key);
  const files = (key: string): readonly string[] =>
    (one(key) ?? "")
      .split(" ")
      .filter((file) => file !== "" && file !== "none")
      .map(expandHome);
  return {
    hostname: one("hostname") ?? "",
    port: Number(one("port") ?? 22),
    user: one("user") ?? "",
    hostKeyAlias: one("hostkeyalias"),
    userKnownHosts: files("userknownhostsfile"),
    globalKnownHosts: files("globalknownhostsfile"),
    strict: ["yes", "true"].includes(one("stricthostkeychecking") ?? ""),
  };
}

/** ssh(1) takes the home directory from the user database, not from HOME; so does this. */
function expandHome(file: string): string {
  return file.startsWith("~/") ? join(userInfo().homedir, file.slice(2)) : file;
}
