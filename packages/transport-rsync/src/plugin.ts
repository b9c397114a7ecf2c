import { access, constants } from "node:fs/promises";
import { BackupError, checkHome, definePlugin, isBackupError, systemCode } from "@backup/core";
import { HOST_OPTIONS, checkHostOptions } from "./host-arguments.js";
import { parseRemote } from "./remote.js";

// What does the work is loaded when it is used: a list of all stores needs none of it.

/** Silence after which a host counts as lost, seconds. */
const TIMEOUT_S = 60;

/** A directory on any host reachable by ssh. */
export const sshStorePlugin = definePlugin({
  kind: "store",
  name: "ssh",
  summary: "a directory on a host that ssh reaches",
  form: "[user@]host:dir",
  options: {
    dstsecret: {
      type: "string",
      isSecret: true,
      describe: "File with the ssh key, an absolute path; default /backup/HOST.id_rsa, HOST.id_ed25519, HOST.id_ecdsa",
    },
    dstpassphrase: {
      type: "string",
      isSecret: true,
      describe: "File with the passphrase of that key, an absolute path; default /backup/HOST.passphrase",
    },
    transport: {
      type: "string",
      choices: ["rsync", "sftp"],
      describe: "How files reach another host; default: rsync where both ends have it, else SFTP",
    },
    ...HOST_OPTIONS,
    spool: {
      type: "string",
      describe: "Directory for what is on its way to another host, 64 MiB; default: that for temporary files",
    },
    bwlimit: { type: "number", describe: "KiB a second that rsync may send" },
  },
  takes: (dest) => parseRemote(dest) !== undefined,
  check(args) {
    const { bwlimit, dstsecret, dstpassphrase, spool } = args;
    checkHome({ "--dstsecret": dstsecret, "--dstpassphrase": dstpassphrase, "--spool": spool });
    checkHostOptions(args);
    if (bwlimit !== undefined && !(bwlimit > 0))
      throw new BackupError("USAGE", "--bwlimit takes a number of KiB a second, greater than 0");
  },
  async problems({ dest, dstsecret, dstpassphrase }, { secretsDirectory: directory }) {
    const { findIdentity } = await import("./identity.js");
    const host = parseRemote(dest)?.host ?? "";
    return [
      ...(await problemOf(findIdentity({ parameter: dstsecret, host, directory }))),
      ...(dstpassphrase === undefined ? [] : await problemOf(checkPassphrase(dstpassphrase))),
    ];
  },
  async open(args, { onEvent, secretsDirectory, env }) {
    const { dest, transport = "auto", timeout = TIMEOUT_S } = args;
    const { findIdentity, openRemoteStore } = await import("./index.js");
    const host = parseRemote(dest)?.host ?? "";
    return openRemoteStore({
      destination: dest,
      transport,
      port: args.sshPort,
      sshConfig: args.sshConfig,
      knownHosts: args.knownHosts,
      hostKeyFingerprint: args.hostKeyFingerprint,
      spool: args.spool,
      bwlimit: args.bwlimit,
      secretsDirectory,
      identity: await findIdentity({ parameter: args.dstsecret, host, directory: secretsDirectory }),
      passphraseFile: args.dstpassphrase,
      timeoutMs: timeout * 1000,
      env,
      onEvent,
    });
  },
});

/** What a try that failed was wrong by. */
async function problemOf(attempt: Promise<unknown>): Promise<readonly BackupError[]> {
  try {
    await attempt;
    return [];
  } catch (error) {
    if (isBackupError(error)) return [error];
    throw error;
  }
}

async function checkPassphrase(file: string): Promise<void> {
  try {
    await access(file, constants.R_OK);
  } catch (error) {
    const reason = systemCode(error) ?? "unknown error";
    const message = `the file ${file} of --dstpassphrase cannot be read (${reason}); check the path`;
    throw new BackupError("SECRET_MISSING", message, { cause: error });
  }
}
