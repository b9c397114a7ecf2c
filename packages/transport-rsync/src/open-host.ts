import { access, constants, stat } from "node:fs/promises";
import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import { BackupError } from "@backup/core";
import type { Host } from "./connection.js";
import type { HostOptions } from "./host-options.js";
import { checkFingerprint } from "./host-key.js";
import { passphrasePlace } from "./identity.js";
import { findPassphrase } from "./identity-passphrase.js";
import { resolveConfig } from "./openssh-config.js";
import { opensshHost } from "./openssh-host.js";
import { findProgram } from "./openssh-process.js";
import { ssh2Host } from "./ssh2-host.js";

/**
 * Finds out how to reach a host, and connects to nothing yet: by the program ssh(1), with all that the user has
 * configured for it, or by the library ssh2 where there is no such program.
 * @throws BackupError USAGE for names that no host or user has, SECRET_UNREADABLE, TRANSPORT_MISSING
 */
export async function openHost(options: HostOptions): Promise<Host> {
  const { remote, port, sshConfig, identity, hostKeyFingerprint: fingerprint } = options;
  const { secretsDirectory: directory, env, onEvent, onConnecting, timeoutMs } = options;
  checkName("host", remote.host);
  if (remote.user !== undefined) checkName("user", remote.user);
  if (fingerprint !== undefined) checkFingerprint(fingerprint);
  const name = remote.host;
  const query = { parameter: options.passphraseFile, host: name, directory };
  const passphrase = await findPassphrase({ ...query, onEvent });
  const keys = { identity, passphrase, place: passphrasePlace(query) };
  const knownHosts = options.knownHosts === undefined ? await ownKnownHosts(directory) : resolve(options.knownHosts);
  const common = { ...keys, name, user: remote.user, fingerprint, onEvent, onConnecting, timeoutMs, env };

  const program = await findProgram("ssh", env);
  if (program !== undefined) {
    const target = remote.user === undefined ? name : `${remote.user}@${name}`;
    const ssh = { program, target, port, sshConfig: sshConfig && resolve(sshConfig), env };
    return opensshHost({ ...common, ...ssh, config: await resolveConfig(ssh), knownHosts });
  }
  if (sshConfig !== undefined)
    throw new BackupError("TRANSPORT_MISSING", "an ssh configuration needs the program ssh, which is not on the PATH");
  const home = join(userInfo().homedir, ".ssh");
  return ssh2Host({
    ...common,
    address: name,
    port: port ?? 22,
    user: remote.user ?? userInfo().username,
    identityFiles: ["id_rsa", "id_ecdsa", "id_ed25519"].map((file) => join(home, file)),
    userKnownHosts: [knownHosts ?? join(home, "known_hosts")],
    globalKnownHosts: ["/etc/ssh/ssh_known_hosts"],
  });
}

/** What ssh(1) could take for an option, or a shell, in a ProxyCommand, for a command. */
function checkName(what: "host" | "user", text: string): void {
  if (text !== "" && !text.startsWith("-") && !/[\s\p{Cc}'"`$\\;&<>|(){}@]/u.test(text)) return;
  throw new BackupError("USAGE", `${JSON.stringify(text)} is no name of a ${what}; write [user@]host:directory`);
}

/** The secrets' directory keeps known_hosts too: in a container nothing else lasts. */
async function ownKnownHosts(directory: string): Promise<string | undefined> {
  const file = join(directory, "known_hosts");
  const there = await stat(directory).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (!there) return undefined;
  const usable = [access(file), access(directory, constants.W_OK)];
  return Promise.any(usable).then(
    () => file,
    () => undefined,
  );
}
