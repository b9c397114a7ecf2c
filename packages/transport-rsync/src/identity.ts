import { chmod, copyFile, stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { BackupError, systemCode } from "@backup/core";

export interface IdentityQuery {
  /** What its option gives; when given, nothing else is looked at. */
  readonly parameter?: string | undefined;
  /** Default `--dstsecret`. */
  readonly option?: string | undefined;
  readonly host: string;
  /** Where secrets are. */
  readonly directory: string;
}

/** File of a private key. */
export interface Identity {
  readonly file: string;
}

const EXTENSIONS = [".id_rsa", ".id_ed25519", ".id_ecdsa"];

/**
 * Finds the private key for a host: the file given as a parameter, else `<directory>/<host>.id_rsa`, `.id_ed25519`,
 * `.id_ecdsa`. Undefined: none, so that the system's default keys and the agent are used.
 * @throws BackupError USAGE for a relative parameter, SECRET_MISSING, SECRET_UNREADABLE
 */
export async function findIdentity({
  parameter,
  option = "--dstsecret",
  host,
  directory,
}: IdentityQuery): Promise<Identity | undefined> {
  if (parameter !== undefined && !isAbsolute(parameter))
    throw new BackupError("USAGE", `${option} must be an absolute path, and '${parameter}' is relative`);
  const usable = !/[/\0]/.test(host);
  const places =
    parameter !== undefined ? [parameter] : usable ? EXTENSIONS.map((end) => join(directory, host + end)) : [];
  for (const file of places) if (await isFile(file)) return { file };
  if (parameter === undefined) return undefined;
  throw new BackupError("SECRET_MISSING", `the private key ${parameter} of ${option} does not exist; check the path`);
}

/** Where the passphrase of a private key is looked for. */
export function passphrasePlace(query: { parameter: string | undefined; host: string; directory: string }): string {
  const { parameter, host, directory } = query;
  if (parameter !== undefined && !isAbsolute(parameter))
    throw new BackupError("USAGE", `--dstpassphrase must be an absolute path, and '${parameter}' is relative`);
  return parameter ?? join(directory, `${host.replace(/[/\0]/g, "_")}.passphrase`);
}

/** ssh(1) refuses a key that others may read, as Kubernetes mounts secrets: then a copy, 0600, in this directory. */
export async function privateCopy({ file }: Identity, directory: string): Promise<string> {
  try {
    if (((await stat(file)).mode & 0o077) === 0) return file;
    const copy = join(directory, "identity");
    await copyFile(file, copy);
    await chmod(copy, 0o600);
    return copy;
  } catch (error) {
    throw unreadable(file, error);
  }
}

export function unreadable(file: string, error: unknown): BackupError {
  const reason = systemCode(error) ?? "unknown error";
  return new BackupError("SECRET_UNREADABLE", `the private key ${file} cannot be read (${reason})`, { cause: error });
}

/** @throws BackupError SECRET_UNREADABLE for a directory */
export async function isFile(file: string): Promise<boolean> {
  try {
    if (!(await stat(file)).isDirectory()) return true;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return false;
    throw unreadable(file, error);
  }
  throw new BackupError("SECRET_UNREADABLE", `secret ${file} is a directory; name a file`);
}
