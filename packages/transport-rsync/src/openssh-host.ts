import { type EventSink, isBackupError, throwIfAborted } from "@backup/core";
import type { Connection, Host } from "./connection.js";
import { hostKeyChanged } from "./host-key.js";
import { announcePin } from "./host-key-pins.js";
import { privateCopy } from "./identity.js";
import { type KeyUse, describeOffer, keyProblem } from "./identity-passphrase.js";
import { describePinned } from "./known-hosts.js";
import type { SshConfig, SshTarget } from "./openssh-config.js";
import { type Launch, openConnection } from "./openssh-connection.js";
import { askpassEnvironment, privateDirectory } from "./openssh-directory.js";
import { sshArgs } from "./openssh-options.js";
import { spawnSsh } from "./openssh-process.js";
import { type TrustQuery, establishTrust, pinnedFor } from "./openssh-trust.js";
import { type SshContext, sshError } from "./ssh-errors.js";

export interface OpenSshSettings extends SshTarget, KeyUse {
  readonly name: string;
  readonly user: string | undefined;
  readonly config: SshConfig;
  /** Instead of the files of the configuration. */
  readonly knownHosts: string | undefined;
  readonly fingerprint: string | undefined;
  readonly onEvent: EventSink;
  readonly onConnecting: (() => void) | undefined;
  readonly timeoutMs: number;
}

/** A host that is reached by the program ssh(1), with the user's configuration and keys. */
export function opensshHost(settings: OpenSshSettings): Host {
  return {
    name: settings.name,
    by: "OpenSSH",
    isPinned: async () => (await pinnedFor(settings)).length > 0,
    connect: (options, signal) => connect(settings, options.compress, signal),
  };
}

async function connect(settings: OpenSshSettings, compress: boolean, signal: AbortSignal): Promise<Connection> {
  throwIfAborted(signal);
  const { name, onEvent, passphrase, timeoutMs, sshConfig, port } = settings;
  const directory = await privateDirectory(settings.program, settings.env);
  try {
    const identity = settings.identity && (await privateCopy(settings.identity, directory.path));
    const askpass = passphrase && askpassEnvironment(passphrase.file, settings.env);
    const common = { sshConfig, port, identity, askpass: askpass !== undefined, compress, timeoutMs };
    const query: TrustQuery = {
      ...settings,
      host: name,
      directory: directory.path,
      present: (file, algorithms) =>
        present(settings, sshArgs({ ...common, knownHosts: file, strict: "accept-new" }), algorithms, signal),
    };
    const trust = await establishTrust(query);
    const launch: Launch = {
      host: name,
      program: settings.program,
      target: settings.target,
      directory,
      args: sshArgs({ ...common, ...trust }),
      // By now the key is pinned.
      laterArgs: sshArgs({ ...common, ...trust, strict: "yes" }),
      env: settings.env,
      addedEnv: askpass ?? {},
      timeoutMs,
      onConnecting: settings.onConnecting,
      context: contextOf(settings),
    };
    const connection = await openConnection(launch, signal);
    try {
      if (trust.strict === "accept-new") announcePin(name, await pinnedFor(query), onEvent);
      return connection;
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      throw error;
    }
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    throw await explain(error, settings);
  }
}

/** Connects up to the host's key, which ssh(1) writes to a file; no key of ours is offered. */
async function present(
  settings: OpenSshSettings,
  args: readonly string[],
  algorithms: string | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const first = [
    "-oPreferredAuthentications=none",
    "-oGlobalKnownHostsFile=/dev/null",
    "-oHashKnownHosts=no",
    "-oUpdateHostKeys=no",
    "-oControlMaster=no",
    "-oControlPath=none",
    ...(algorithms === undefined ? [] : [`-oHostKeyAlgorithms=${algorithms}`]),
  ];
  const child = spawnSsh(settings.program, [...first, ...args, "--", settings.target, "exit"], settings.env);
  child.input.end();
  child.output.resume();
  // One that hangs is ended, and the connection itself says what is wrong.
  const either = AbortSignal.any([signal, AbortSignal.timeout(2 * settings.timeoutMs)]);
  const abort = (): void => void child.kill();
  either.addEventListener("abort", abort, { once: true });
  await child.ended;
  either.removeEventListener("abort", abort);
  throwIfAborted(signal);
  const error = await sshError(child.stderr(), contextOf(settings));
  if (error.code === "AUTH_FAILED" || child.stderr() === "") return true;
  if (error.code === "PROTOCOL" && algorithms !== undefined) return false;
  throw error;
}

function contextOf(settings: OpenSshSettings): SshContext {
  const { name, config, user, timeoutMs } = settings;
  return { host: name, port: config.port, user, offered: describeOffer(settings), timeoutMs };
}

/** Says more of what ssh(1) itself does not tell. */
async function explain(error: unknown, settings: OpenSshSettings): Promise<unknown> {
  if (isBackupError(error, "AUTH_FAILED")) return (await keyProblem(settings)) ?? error;
  if (isBackupError(error, "HOST_KEY_UNKNOWN")) {
    const pinned = await pinnedFor(settings);
    if (pinned.length > 0) return hostKeyChanged(settings.name, "a key of another type", describePinned(pinned), error);
  }
  return error;
}
