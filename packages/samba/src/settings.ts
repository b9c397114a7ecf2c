/** What testparm(1) says of a configuration, as it is in force, defaults included. */
export interface Settings {
  readonly serverRole: string;
  readonly privateDirectory: string;
  readonly stateDirectory: string;
  readonly pidDirectory: string;
  /** Databases of passwords, absolute, that are named in `passdb backend`. */
  readonly passwordDatabases: readonly string[];
  /** Kinds of the others: `ldapsam`. */
  readonly otherPasswords: readonly string[];
  /** Text files with users: of `smbpasswd`, and the map of names. */
  readonly userFiles: readonly string[];
  /** With the shares that users have made; undefined: they may make none. */
  readonly usershares: string | undefined;
}

/** @param text what `testparm -s -v` prints */
export function readSettings(text: string): Settings {
  const global = globalOf(text);
  const get = (name: string): string => global.get(name) ?? "";
  const backends = get("passdb backend").split(/\s+/).map(backendOf);
  const smbpasswd = backends.filter(({ kind }) => kind === "smbpasswd");
  const files = [...smbpasswd.map(({ place }) => place || get("smb passwd file")), get("username map")];
  return {
    serverRole: get("server role"),
    privateDirectory: get("private dir"),
    stateDirectory: get("state directory"),
    pidDirectory: get("pid directory"),
    passwordDatabases: backends
      .filter(({ kind, place }) => kind === "tdbsam" && isAbsolute(place))
      .map(({ place }) => place),
    otherPasswords: backends
      .map(({ kind }) => kind)
      .filter((kind) => !["tdbsam", "smbpasswd", "samba_dsdb", ""].includes(kind)),
    userFiles: files.filter(isAbsolute),
    usershares: Number(get("usershare max shares")) > 0 ? get("usershare path") || undefined : undefined,
  };
}

/** The file that testparm(1) has read, which it names on stderr. */
export function readConfigFile(stderr: string): string | undefined {
  return /^Load smb config files from (.+)$/m.exec(stderr)?.[1];
}

function globalOf(text: string): ReadonlyMap<string, string> {
  const [, section = ""] = /^\[global\]\n((?:(?!\[).*(?:\n|$))*)/m.exec(text) ?? [];
  const pairs = section.matchAll(/^\t(.+?) = (.*)$/gm);
  return new Map(Array.from(pairs, ([, name = "", value = ""]) => [name, value.trim()]));
}

function backendOf(quoted: string): { readonly kind: string; readonly place: string } {
  const text = quoted.replaceAll('"', "");
  const cut = text.indexOf(":");
  return cut < 0 ? { kind: text, place: "" } : { kind: text.slice(0, cut), place: text.slice(cut + 1) };
}

function isAbsolute(path: string): boolean {
  return path.startsWith("/");
}
