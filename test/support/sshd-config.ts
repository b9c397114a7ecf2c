import { join } from "node:path";
import type { SshdOptions } from "./sshd.js";

interface Places {
  readonly root: string;
  readonly jail: string | undefined;
  readonly port: number;
  readonly authorizedKeys: string;
  readonly hostKeyFiles: readonly string[];
}

/** sshd_config(5) of a private server. */
export function sshdConfig({
  root,
  jail,
  port,
  authorizedKeys,
  hostKeyFiles,
  ...options
}: SshdOptions & Places): string {
  const path = options.withoutRsync ? join(root, "bin") : "/usr/local/bin:/usr/bin:/bin";
  const sftp = { internal: "internal-sftp", external: "/usr/lib/openssh/sftp-server", none: undefined }[
    options.sftp ?? "internal"
  ];
  const forced = jail
    ? ["ForceCommand internal-sftp", `ChrootDirectory ${jail}`]
    : options.banner === undefined
      ? []
      : [`ForceCommand echo '${options.banner}'; eval "$SSH_ORIGINAL_COMMAND"`];
  return `${[
    ...(options.extraConfig === undefined ? [] : [options.extraConfig]),
    "ListenAddress 127.0.0.1",
    `Port ${port}`,
    ...hostKeyFiles.map((file) => `HostKey ${file}`),
    "PidFile none",
    `AuthorizedKeysFile ${authorizedKeys}`,
    "StrictModes no",
    "UsePAM no",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PermitRootLogin prohibit-password",
    "LogLevel VERBOSE",
    "MaxStartups 100",
    // Hundreds of connections: an exchange that withstands computers of the future takes as long as all the rest of one.
    "KexAlgorithms -sntrup761*,mlkem768*",
    // An empty home: the start files of whoever runs the tests play no part.
    `SetEnv PATH=${path} HOME=${join(root, "home")}`,
    ...(sftp === undefined ? [] : [`Subsystem sftp ${sftp}`]),
    ...forced,
  ].join("\n")}\n`;
}
