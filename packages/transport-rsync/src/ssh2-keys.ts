import { stat } from "node:fs/promises";
import type { AgentAuthMethod, ParsedKey, PublicKeyAuthMethod } from "ssh2";
import { type KeyUse, readKey } from "./identity-passphrase.js";
import type { Environment } from "./openssh-process.js";

/** One way to authenticate, as ssh2 takes it. There is none with a password. */
export type Offer = PublicKeyAuthMethod | AgentAuthMethod;

export interface OfferQuery extends KeyUse {
  readonly user: string;
  /** The default keys; they need not exist. */
  readonly identityFiles: readonly string[];
  readonly env: Environment;
}

/**
 * What is offered, in this order: the given key alone, else the agent's keys and the default keys. A default key that
 * cannot be read or opened is left out, as ssh(1) does.
 * @throws BackupError SECRET_UNREADABLE for the given key
 */
export async function collectOffers(query: OfferQuery): Promise<readonly Offer[]> {
  const { identity, passphrase, user, identityFiles, env } = query;
  const { default: ssh2 } = await import("ssh2");
  const parse = (key: Buffer): readonly Offer[] => {
    // The types know one key; a file may hold more.
    const parsed: ParsedKey | ParsedKey[] | Error = ssh2.utils.parseKey(key, passphrase?.secret.reveal());
    if (parsed instanceof Error) return [];
    return [parsed].flat().map((one) => ({ type: "publickey", username: user, key: one }));
  };
  if (identity) return parse(await readKey(identity));
  const agent = env.SSH_AUTH_SOCK;
  const offers: Offer[] = agent ? [{ type: "agent", username: user, agent }] : [];
  for (const file of identityFiles) {
    const readable = await stat(file).then(
      (stats) => stats.isFile(),
      () => false,
    );
    if (readable) offers.push(...parse(await readKey({ file }).catch(() => Buffer.alloc(0))));
  }
  return offers;
}
