import { rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { atExit } from "./at-exit.js";
import { BackupError, systemCode } from "./errors.js";
import type { EventSink } from "./events.js";
import { findSecret } from "./find-secret.js";
import { makeOwnedDirectory } from "./owned-directory.js";
import { camelCase } from "./plugin-options.js";
import { type ProgramRunner, programRunner } from "./program.js";
import { scrub } from "./scrub.js";
import type { Secret } from "./secret.js";

/** Whose secret, and where it may be. */
export interface SecretRequest {
  /** Whose it is: a logon name or a host. */
  readonly partner: string;
  /** Of the files that are looked for, in this order: `.password`, `.id_rsa`. */
  readonly extensions: readonly string[];
  /** The plugin's option, without dashes, that names the file instead. Default `srcsecret`. */
  readonly option?: string | undefined;
}

/** What a plugin gets besides its arguments. It is over when what the plugin has made is disposed of. */
export interface PluginContext extends ProgramRunner {
  /** Tells a person something: warnings, and what failed. */
  readonly onEvent: EventSink;
  /** Somebody wants `debug` events, which may cost time. */
  readonly trace: boolean;
  /** Fires when all is to end. Programs that `run` and `start` have started are ended by it. */
  readonly signal: AbortSignal;
  /**
   * Finds a secret: in the file that an option names, else in `/backup/<partner><extension>`. From then on it is taken out
   * of what programs print.
   * @throws BackupError SECRET_MISSING, SECRET_UNREADABLE, USAGE
   */
  secret(request: SecretRequest): Promise<Secret>;
  /** Directory of secrets, of known_hosts, and of what else a person keeps for backup. */
  readonly secretsDirectory: string;
  /** The environment. Programs get of it what each needs, by `run` and `start`. */
  readonly env: NodeJS.ProcessEnv;
  /**
   * A directory that only this user may enter, always the same one; it is removed afterwards, however that comes about.
   * @throws BackupError SPOOL_UNWRITABLE
   */
  temporaryDirectory(): Promise<string>;
}

export interface PluginContextOptions {
  /** The plugin's arguments; an option that names a secret is looked up there. */
  readonly args: Readonly<Record<string, unknown>>;
  /** What a person calls an option, for messages. Default: `--` and its name. */
  readonly nameOf?: ((option: string) => string) | undefined;
  readonly onEvent: EventSink;
  readonly signal: AbortSignal;
  /** Default false. */
  readonly trace?: boolean | undefined;
  /** Default `/backup`. */
  readonly secretsDirectory?: string | undefined;
  /** Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/** Makes what a plugin gets. To be disposed of after what the plugin has made of it. */
export function openPluginContext(options: PluginContextOptions): PluginContext & AsyncDisposable {
  const { args, onEvent, signal, trace = false, secretsDirectory = "/backup", env = process.env } = options;
  const nameOf = options.nameOf ?? ((option: string) => `--${option}`);
  const secrets: Secret[] = [];
  const directory = new LazyDirectory();
  return {
    onEvent,
    trace,
    signal,
    secretsDirectory,
    env,
    ...programRunner({ env, signal, scrub: (text) => scrub(text, secrets) }),
    async secret({ partner, extensions, option = "srcsecret" }) {
      const given = args[camelCase(option)];
      const parameter = typeof given === "string" ? given : undefined;
      const query = { partner, extensions, parameter, option: nameOf(option), directory: secretsDirectory, onEvent };
      const secret = await findSecret(query);
      secrets.push(secret);
      return secret;
    },
    temporaryDirectory: () => directory.get(),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

/** A private directory that is made when somebody asks for it. */
class LazyDirectory implements AsyncDisposable {
  #made: Promise<string> | undefined;
  #atExit: Disposable | undefined;

  get(): Promise<string> {
    return (this.#made ??= this.#make());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const path = await this.#made?.catch(() => undefined);
    this.#made = undefined;
    if (path !== undefined) await rm(path, { recursive: true, force: true, maxRetries: 3 });
    this.#atExit?.[Symbol.dispose]();
    this.#atExit = undefined;
  }

  async #make(): Promise<string> {
    const parent = tmpdir();
    try {
      const path = await makeOwnedDirectory({ parent, prefix: "backup-plugin-" });
      this.#atExit = atExit(() => rmSync(path, { recursive: true, force: true }));
      return path;
    } catch (error) {
      const reason = systemCode(error) ?? "unknown error";
      const message = `${parent} for temporary files cannot be written (${reason}); make room there, or set TMPDIR to another directory`;
      throw new BackupError("SPOOL_UNWRITABLE", message, { cause: error });
    }
  }
}
