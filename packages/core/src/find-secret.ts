import { open } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { BackupError, systemCode } from "./errors.js";
import type { EventSink } from "./events.js";
import { Secret } from "./secret.js";

export interface SecretQuery {
  /** `--srcsecret` or `--dstsecret`; when given, nothing else is looked at. */
  readonly parameter?: string | undefined;
  /** The option's name, for messages. */
  readonly option: string;
  /** Whose secret: a logon name or a host. */
  readonly partner: string;
  /** In this order: `.password`, `.id_rsa`. */
  readonly extensions: readonly string[];
  /** Default `/backup`. */
  readonly directory?: string | undefined;
  readonly onEvent?: EventSink | undefined;
}

/** Largest file that is taken for a secret, bytes. */
const LIMIT = 64 * 1024;

/**
 * Finds a secret: the file given as a parameter, else `<directory>/<partner><extension>`.
 * One line end at the end of the file is not part of the secret. A file that others may read brings a warning.
 * @throws BackupError USAGE for a relative parameter, SECRET_MISSING, SECRET_UNREADABLE
 */
export async function findSecret(query: SecretQuery): Promise<Secret> {
  const { parameter, option, partner, extensions, directory = "/backup", onEvent } = query;
  if (parameter !== undefined && !isAbsolute(parameter))
    throw new BackupError("USAGE", `${option} must be an absolute path, and '${parameter}' is relative`);

  const usable = !/[/\0]/.test(partner) && partner !== "" && partner !== "..";
  const places =
    parameter !== undefined
      ? [parameter]
      : usable
        ? extensions.map((extension) => join(directory, partner + extension))
        : [];
  for (const place of places) {
    const secret = await readSecret(place, onEvent);
    if (secret) return secret;
  }
  throw new BackupError(
    "SECRET_MISSING",
    `no secret found for ${partner}; looked for ${places.join(", ") || "nothing, the name cannot be a file's"}. ` +
      `Put the password into a file of its own (chmod 600) and name it with ${option} /absolute/path`,
  );
}

async function readSecret(place: string, onEvent: EventSink | undefined): Promise<Secret | undefined> {
  let text: string;
  try {
    await using file = await open(place, "r");
    const stats = await file.stat();
    const { mode, size } = stats;
    if (stats.isDirectory()) throw new BackupError("SECRET_UNREADABLE", `secret ${place} is a directory; name a file`);
    if (size > LIMIT)
      throw new BackupError("SECRET_UNREADABLE", `secret ${place} is too large to be one (${size} bytes)`);
    if (mode & 0o004)
      onEvent?.({
        type: "warning",
        code: "SECRET_EXPOSED",
        message: `secret ${place} can be read by every user of this machine; chmod 600 ${place}`,
      });
    // Not all of it: a device or a pipe may have no end.
    text = "";
    for await (const piece of file.createReadStream({ encoding: "utf8", end: LIMIT, autoClose: false }))
      text += String(piece);
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
    if (error instanceof BackupError) throw error;
    throw new BackupError(
      "SECRET_UNREADABLE",
      `secret ${place} cannot be read (${systemCode(error) ?? "unknown error"})`,
      {
        cause: error,
      },
    );
  }
  const value = text.replace(/\r?\n$/, "");
  if (value === "") throw new BackupError("SECRET_UNREADABLE", `secret ${place} is empty`);
  return new Secret(value, { file: place });
}
