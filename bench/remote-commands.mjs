/** The command lines that are compared. */
import { folders } from "./folders.mjs";

/**
 * @typedef {object} Place where both servers are reached in a run
 * @property {number} imapPort
 * @property {number} sshPort
 * @property {import("./dovecot.mjs").Server} server
 * @property {import("./sshd.mjs").Sshd} sshd
 */

/**
 * @param {Place} place
 * @param {{ dest: string, transport?: "rsync" | "sftp", folders?: readonly string[] }} job
 * transport: dest is on the other host; folders: only these
 */
export const ours = ({ imapPort, sshPort, server, sshd }, { dest, transport, folders: only = [] }) => {
  const program = [process.execPath, "packages/cli/bin/backup.js", "imap", "-q"];
  const source = [`imaps://127.0.0.1:${imapPort}`, "--srcsecret", server.secretFile, "--tls-ca", server.caFile];
  const wanted = only.flatMap((folder) => ["--folder", folder]);
  if (transport === undefined) return [...program, server.user, dest, ...source, ...wanted];
  const remote = `${sshd.user}@127.0.0.1:${dest}`;
  const key = ["--dstsecret", sshd.keyFile, "--known-hosts", sshd.knownHosts, "--ssh-port", String(sshPort)];
  return [...program, server.user, remote, ...source, "--transport", transport, ...key, ...wanted];
};

/**
 * rsync over ssh as its manual page has it.
 *
 * @param {Place} place
 * @param {{ from: string, dest: string, options: readonly string[] }} job
 */
export const rsync = ({ sshPort, sshd }, { from, dest, options }) => {
  // Nothing in it has a blank: rsync splits it at blanks.
  const ssh = `ssh -F none -p ${sshPort} -i ${sshd.keyFile} -o UserKnownHostsFile=${sshd.knownHosts} -o BatchMode=yes`;
  return ["rsync", ...options, "-e", ssh, `${from}/`, `${sshd.user}@127.0.0.1:${dest}/`];
};

/**
 * rclone with the options that reach the host and no others.
 *
 * @param {Place} place
 * @param {{ from: string, dest: string }} job
 */
export const rclone = ({ sshPort, sshd }, { from, dest }) => {
  const remote = {
    TYPE: "sftp",
    HOST: "127.0.0.1",
    PORT: sshPort,
    USER: sshd.user,
    KEY_FILE: sshd.keyFile,
    KNOWN_HOSTS_FILE: sshd.knownHosts,
  };
  const env = Object.entries(remote).map(([name, value]) => `RCLONE_CONFIG_X_${name}=${value}`);
  return ["env", ...env, "rclone", "copy", from, `x:${dest}`];
};

/**
 * Folders that together hold about so many messages, the larger first: none is cut.
 *
 * @param {number} messages of the account
 * @param {number} wanted
 * @returns {{ names: string[], messages: number } | undefined} undefined: the whole account
 */
export const subset = (messages, wanted) => {
  if (wanted >= messages) return undefined;
  let left = wanted;
  const names = [];
  for (const folder of folders(messages).toSorted((a, b) => b.messages - a.messages)) {
    if (folder.messages === 0 || folder.messages > left) continue;
    left -= folder.messages;
    names.push(folder.name);
  }
  return { names, messages: wanted - left };
};
