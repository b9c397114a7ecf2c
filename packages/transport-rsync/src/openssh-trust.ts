import { join } from "node:path";
import type { EventSink } from "@backup/core";
import { describeKey, fingerprintOf, hostKeyChanged, hostKeyUnknown } from "./host-key.js";
import { type PinnedKey, appendKnownHost, knownName, prepareToAppend, pinnedKeys } from "./known-hosts.js";
import { announcePin, checkPinned } from "./host-key-pins.js";
import type { SshConfig } from "./openssh-config.js";

/** How ssh(1) is to check the key of the host. */
export interface Trust {
  readonly strict: "yes" | "accept-new";
  /** Instead of the files of its configuration. */
  readonly knownHosts: string | undefined;
}

export interface TrustQuery {
  readonly host: string;
  readonly config: SshConfig;
  /** Instead of the user's files. */
  readonly knownHosts: string | undefined;
  readonly fingerprint: string | undefined;
  /** Of the connection: files in it vanish with it. */
  readonly directory: string;
  readonly onEvent: EventSink;
  /**
   * Lets ssh(1) write the host's key to this file, with no authentication.
   * @param algorithms the key must be of one of these; undefined: of any
   * @returns false: the host has no such key
   */
  readonly present: (file: string, algorithms: string | undefined) => Promise<boolean>;
}

/** Types of host keys, a host may have one of each. */
const KINDS = [undefined, "ssh-ed25519", "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521", "rsa-sha2-512"];

/**
 * Decides before anything is authenticated. A host that is pinned must present a pinned key: of its own accord ssh(1)
 * would, with accept-new, also accept a key of a type that is not pinned yet.
 * @throws BackupError HOST_KEY_CHANGED, HOST_KEY_UNKNOWN
 */
export async function establishTrust(query: TrustQuery): Promise<Trust> {
  const { host, config, knownHosts, fingerprint } = query;
  const pinned = await pinnedFor(query);
  checkPinned({ host, pinned, fingerprint });
  if (pinned.length > 0) return { strict: "yes", knownHosts };
  if (fingerprint !== undefined) return verifyFirst(query, fingerprint);
  if (config.strict) return { strict: "yes", knownHosts };
  try {
    await prepareToAppend(pinFile(query));
  } catch (error) {
    const [presented] = await presentedKeys(query, undefined);
    const said = presented ? describeKey(presented.key) : "none";
    throw hostKeyUnknown(host, said, `it cannot be pinned in ${pinFile(query)}, which is not writable`, error);
  }
  return { strict: "accept-new", knownHosts };
}

/** What known_hosts files have for the host. */
export function pinnedFor({ config, knownHosts }: Pick<TrustQuery, "config" | "knownHosts">) {
  const user = knownHosts === undefined ? config.userKnownHosts : [knownHosts];
  return pinnedKeys([...user, ...config.globalKnownHosts], nameOf(config));
}

async function verifyFirst(query: TrustQuery, fingerprint: string): Promise<Trust> {
  const { host, config, knownHosts, onEvent } = query;
  const seen: PinnedKey[] = [];
  for (const kind of KINDS) {
    if (kind !== undefined && seen.some(({ type }) => kind.split(",").includes(type))) continue;
    const [presented] = await presentedKeys(query, kind);
    if (!presented) continue;
    if (fingerprintOf(presented.key) !== fingerprint) {
      seen.push(presented);
      continue;
    }
    try {
      await appendKnownHost(pinFile(query), nameOf(config), presented.key, presented.type);
    } catch (error) {
      // It is the right host all the same, and the fingerprint is given at every run.
      onEvent({ type: "debug", message: `the key of ${host} is not pinned: ${String(error)}` });
      return { strict: "yes", knownHosts: presented.file };
    }
    announcePin(host, [{ ...presented, file: pinFile(query) }], onEvent);
    return { strict: "yes", knownHosts };
  }
  const all = seen.map(({ key }) => describeKey(key)).join(" or ");
  throw hostKeyChanged(host, all || "none", `${fingerprint} (--host-key-fingerprint)`);
}

async function presentedKeys(query: TrustQuery, kind: string | undefined): Promise<readonly PinnedKey[]> {
  const file = join(query.directory, `presented-${KINDS.indexOf(kind)}`);
  if (!(await query.present(file, kind))) return [];
  return pinnedKeys([file], nameOf(query.config));
}

function nameOf({ hostname, port, hostKeyAlias }: SshConfig): string {
  return hostKeyAlias ?? knownName(hostname, port);
}

function pinFile({ config, knownHosts }: TrustQuery): string {
  return knownHosts ?? config.userKnownHosts[0] ?? "/dev/null";
}
