/** A directory on another machine, as rsync and scp write it. */
export interface Remote {
  readonly user?: string;
  readonly host: string;
  /** Relative to the home directory unless it begins with `/`; empty: the home directory itself. */
  readonly directory: string;
}

/**
 * Reads `[user@]host:dir`; undefined: it is a local path. As for rsync(1), a colon before any slash makes it remote,
 * so that a local name with a colon is written `./a:b`.
 */
export function parseRemote(text: string): Remote | undefined {
  const match = /^(?:([^@:/]+)@)?(\[[0-9a-fA-F:.]+\]|[^:/@[\]]+):(.*)$/s.exec(text);
  const [, user, host, directory] = match ?? [];
  if (host === undefined || directory === undefined) return undefined;
  // What a shell would make of it is what a session begins in.
  const inHome = directory.replace(/^~(?:\/+|$)/, "");
  return { ...(user === undefined ? {} : { user }), host: host.replace(/^\[|\]$/g, ""), directory: inHome };
}
