import { BackupError, type PluginOptions, checkHome } from "@backup/core";

/** What is said of another host, whichever end it is. */
export const HOST_OPTIONS = {
  "ssh-port": { type: "number", describe: "Port of the host's ssh server" },
  "ssh-config": { type: "string", describe: "File for ssh instead of ~/.ssh/config" },
  "known-hosts": {
    type: "string",
    describe: "File of host keys; default /backup/known_hosts where there is a /backup, else ~/.ssh/known_hosts",
  },
  "host-key-fingerprint": { type: "string", describe: "SHA256:… that the host's key must have at the first contact" },
} as const satisfies PluginOptions;

export interface HostArguments {
  readonly sshPort?: number | undefined;
  readonly sshConfig?: string | undefined;
  readonly knownHosts?: string | undefined;
  readonly hostKeyFingerprint?: string | undefined;
}

/** @throws BackupError USAGE */
export function checkHostOptions({ sshPort, sshConfig, knownHosts, hostKeyFingerprint }: HostArguments): void {
  checkHome({ "--ssh-config": sshConfig, "--known-hosts": knownHosts });
  if (sshPort !== undefined && !(Number.isInteger(sshPort) && sshPort > 0 && sshPort < 65_536))
    throw new BackupError("USAGE", "--ssh-port takes a port, a number from 1 to 65535");
  if (hostKeyFingerprint !== undefined && !/^SHA256:[A-Za-z0-9+/]{43}=?$/.test(hostKeyFingerprint))
    throw new BackupError(
      "USAGE",
      "--host-key-fingerprint takes SHA256: and 43 letters, as ssh-keygen -l -f KEY.pub prints it",
    );
}
