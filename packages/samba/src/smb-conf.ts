/** What an smb.conf(5) says of where else there is configuration. */
export interface References {
  /** Values of `include` and `config file`, as they are written, `registry` left out. */
  readonly files: readonly string[];
  /** Some or all of the configuration is in the registry. */
  readonly registry: boolean;
}

/** Reads what a text in the form of smb.conf(5) refers to. */
export function referencesIn(text: string): References {
  const files: string[] = [];
  let registry = false;
  for (const [name, value] of parametersOf(text)) {
    if (name === "include" && value === "registry") registry = true;
    else if (name === "configbackend") registry ||= /^registry$/i.test(value);
    else if (name === "registryshares") registry ||= /^(?:yes|true|1|on)$/i.test(value);
    else if ((name === "include" || name === "configfile") && value !== "") files.push(value);
  }
  return { files, registry };
}

/** Names without spaces and case, which Samba ignores there. */
function parametersOf(text: string): readonly (readonly [name: string, value: string])[] {
  const lines = text.replace(/\\\r?\n[ \t]*/g, "").split(/\r?\n/);
  return lines.flatMap((line) => {
    const [, name = "", value = ""] = /^\s*([^=;#[\s][^=]*)=(.*)$/.exec(line) ?? [];
    return name === "" ? [] : [[name.replace(/\s+/g, "").toLowerCase(), value.trim()] as const];
  });
}

/** What Samba replaces by something of a connection, or of the environment: `%m`, `%(user)`, `%$(HOME)`. */
const MACRO = /%(?:\$?\([^)]*\)|[A-Za-z])/g;

export interface Place {
  /** Absolute. */
  readonly directory: string;
  /** Pattern of find(1) for the names of files there. */
  readonly pattern: string;
  /** Undefined: it depends on the connection which file it is. */
  readonly file: string | undefined;
}

/** Where the files of an `include` are; undefined: that cannot be said, because its directory is not fixed. */
export function placeOf(value: string): Place | undefined {
  if (!value.startsWith("/")) return undefined;
  const path = value.replace(/\/{2,}/g, "/");
  const cut = path.lastIndexOf("/");
  const [directory, name] = [path.slice(0, cut) || "/", path.slice(cut + 1)];
  if (name === "" || directory.match(MACRO) !== null) return undefined;
  const literal = name.split(MACRO).map((part) => part.replace(/[*?[\]\\]/g, "\\$&"));
  return { directory, pattern: literal.join("*"), file: literal.length === 1 ? path : undefined };
}
