/** How a program of this machine, as rsync(1), runs a command at another host. */
export interface RemoteShell {
  readonly program: string;
  readonly args: readonly string[];
  /** What ssh(1) calls the host: `[user@]host`. */
  readonly target: string;
  /** Added to the environment of the program. */
  readonly env: Readonly<Record<string, string>>;
}

/** A directory as programs get to it: on this machine, or by a shell on another one. */
export interface Reach {
  /** Undefined: it is on this machine. */
  readonly shell?: RemoteShell | undefined;
  /** As the host knows it. */
  readonly directory: string;
}
