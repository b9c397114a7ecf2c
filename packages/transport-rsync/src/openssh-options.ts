export interface OpenSshOptions {
  readonly sshConfig: string | undefined;
  readonly port: number | undefined;
  /** File of a private key, 0600. */
  readonly identity: string | undefined;
  readonly knownHosts: string | undefined;
  /** `yes`: the key must be known. */
  readonly strict: "yes" | "accept-new";
  /** A program answers for the passphrase. */
  readonly askpass: boolean;
  readonly compress: boolean;
  readonly timeoutMs: number;
}

/** Arguments of ssh(1) that hold for every connection of ours, whatever the user's configuration says. */
export function sshArgs(options: OpenSshOptions): readonly string[] {
  const { sshConfig, port, identity, knownHosts, strict, askpass, compress, timeoutMs } = options;
  const seconds = Math.max(1, Math.ceil(timeoutMs / 1000));
  const alive = Math.max(1, Math.min(15, Math.ceil(seconds / 4)));
  const settings: readonly (readonly [string, string | undefined])[] = [
    ["BatchMode", askpass ? undefined : "yes"],
    ["NumberOfPasswordPrompts", "1"],
    ["PasswordAuthentication", "no"],
    ["KbdInteractiveAuthentication", "no"],
    ["StrictHostKeyChecking", strict],
    ["UserKnownHostsFile", knownHosts === undefined ? undefined : quote(knownHosts)],
    ["IdentityFile", identity === undefined ? undefined : quote(identity)],
    ["IdentitiesOnly", identity === undefined ? undefined : "yes"],
    ["ConnectTimeout", `${seconds}`],
    ["ServerAliveInterval", `${alive}`],
    ["ServerAliveCountMax", "4"],
    ["Compression", compress ? "yes" : "no"],
    ["ControlPersist", "no"],
    ["ClearAllForwardings", "yes"],
    ["ForwardAgent", "no"],
    ["ForwardX11", "no"],
    ["PermitLocalCommand", "no"],
    ["RemoteCommand", "none"],
    ["EscapeChar", "none"],
    ["LogLevel", "ERROR"],
  ];
  return [
    "-T",
    ...(sshConfig === undefined ? [] : ["-F", sshConfig]),
    ...(port === undefined ? [] : ["-p", `${port}`]),
    ...settings.flatMap(([name, value]) => (value === undefined ? [] : ["-o", `${name}=${value}`])),
  ];
}

/** For ssh_config(5), which splits at spaces and expands `%`. */
function quote(file: string): string {
  return `"${file.replace(/%/g, "%%").replace(/["\\]/g, "\\$&")}"`;
}

/** A path for `-S`, where `%` is expanded. */
export function controlPath(file: string): string {
  return file.replace(/%/g, "%%");
}
