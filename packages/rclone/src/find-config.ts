import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { BackupError, type EventSink, type Secret, findSecret, isBackupError } from "@backup/core";
import { type RcloneConfig, isEncrypted, parseConfig } from "./config-text.js";

type Environment = Readonly<Record<string, string | undefined>>;

export interface ConfigQuery {
  readonly remote: string;
  /** `--dstsecret` or `--srcsecret`; when given, nothing else is looked at. */
  readonly parameter?: string | undefined;
  /** The option's name, for messages. */
  readonly option: string;
  /** Where secrets are: `/backup`. */
  readonly directory: string;
  readonly env: Environment;
  readonly onEvent: EventSink;
}

/** A configuration of rclone that has the remote. */
export interface FoundConfig {
  readonly secret: Secret;
  readonly config: RcloneConfig;
}

const EXTENSION = ".rclone.conf";

/**
 * Finds rclone's configuration: the file given as a parameter, else `<directory>/<remote>.rclone.conf`, else where
 * rclone itself has it.
 * @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE
 */
export async function findConfig(query: ConfigQuery): Promise<FoundConfig> {
  const { remote } = query;
  const secret = await findFile(query);
  const where = secret.file ?? "";
  if (isEncrypted(secret.reveal()))
    throw new BackupError(
      "SECRET_UNREADABLE",
      `${where} is encrypted with a password, which nobody could type here; give a copy without one (rclone config, 's', 'u') that only its owner can read, with ${query.option}`,
    );
  const config = parseConfig(secret.reveal());
  if (config.get(remote)?.get("type")) return { secret, config };
  const names = [...config.keys()].join(", ") || "none";
  throw new BackupError(
    "SECRET_UNREADABLE",
    `${where} has no remote '${remote}'; it has: ${names}. 'rclone config' makes one`,
  );
}

async function findFile({ remote, parameter, option, directory, env, onEvent }: ConfigQuery): Promise<Secret> {
  const query = { parameter, option, partner: remote, extensions: [EXTENSION], directory, onEvent };
  try {
    return await findSecret(query);
  } catch (error) {
    if (parameter !== undefined || !isBackupError(error, "SECRET_MISSING")) throw error;
  }
  const places = ownPlaces(env);
  for (const place of places) {
    try {
      return await findSecret({ ...query, parameter: place });
    } catch (error) {
      if (!isBackupError(error, "SECRET_MISSING")) throw error;
    }
  }
  const all = [join(directory, `${remote}${EXTENSION}`), ...places].join(", ");
  throw new BackupError(
    "SECRET_MISSING",
    `no configuration of rclone found for ${remote}; looked for ${all}. Make one with 'rclone config', and name it with ${option} /absolute/path`,
  );
}

/** Where rclone looks (rclone.org/docs, "--config"), as long as those are absolute paths. */
function ownPlaces(env: Environment): readonly string[] {
  const home = env["HOME"] ?? homedir();
  const places = [
    env["RCLONE_CONFIG"],
    join(env["XDG_CONFIG_HOME"] ?? join(home, ".config"), "rclone", "rclone.conf"),
    join(home, ".rclone.conf"),
  ];
  return [...new Set(places)].filter((place): place is string => place !== undefined && isAbsolute(place));
}
