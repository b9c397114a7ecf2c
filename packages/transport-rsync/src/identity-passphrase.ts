import { readFile } from "node:fs/promises";
import { BackupError, type EventSink, type Secret, findSecret } from "@backup/core";
import { type Identity, isFile, passphrasePlace, unreadable } from "./identity.js";

/** A passphrase, and the file that has it. */
export interface Passphrase {
  readonly file: string;
  readonly secret: Secret;
}

export interface PassphraseQuery {
  /** The option, an absolute path; a missing file is an error then. */
  readonly parameter: string | undefined;
  readonly host: string;
  readonly directory: string;
  readonly onEvent: EventSink;
}

/** Undefined: there is none, and the key had better not need one. @throws BackupError as findSecret does */
export async function findPassphrase(query: PassphraseQuery): Promise<Passphrase | undefined> {
  const { parameter, host, onEvent } = query;
  const file = passphrasePlace(query);
  if (parameter === undefined && !(await isFile(file))) return undefined;
  const secret = await findSecret({
    parameter: file,
    option: "--dstpassphrase",
    partner: host,
    extensions: [],
    onEvent,
  });
  return { file, secret };
}

export interface KeyUse {
  readonly identity: Identity | undefined;
  readonly passphrase: Passphrase | undefined;
  /** Where the passphrase was looked for. */
  readonly place: string;
}

/** What is offered for authentication, for messages. */
export function describeOffer({ identity }: KeyUse): string {
  return identity ? `the key ${identity.file}` : "the default keys and the agent";
}

/** Why the key cannot be used at all; undefined: it can, or it is not known which key was offered. */
export async function keyProblem(use: KeyUse): Promise<BackupError | undefined> {
  const { identity } = use;
  return identity && problemOf(identity, await readKey(identity), use);
}

export async function readKey({ file }: Identity): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw unreadable(file, error);
  }
}

async function problemOf({ file }: Identity, key: Buffer, { passphrase, place }: KeyUse) {
  const { default: ssh2 } = await import("ssh2");
  const plain = ssh2.utils.parseKey(key);
  if (!(plain instanceof Error)) return undefined;
  if (!/encrypted/i.test(plain.message))
    return new BackupError("AUTH_FAILED", `${file} is no private key that can be used (${plain.message})`);
  if (passphrase === undefined)
    return new BackupError(
      "SECRET_MISSING",
      `the key ${file} is encrypted and no passphrase was found; looked for ${place}. ` +
        "Put the passphrase into this file (chmod 600), or name it with --dstpassphrase /absolute/path",
    );
  const opened = ssh2.utils.parseKey(key, passphrase.secret.reveal());
  if (!(opened instanceof Error)) return undefined;
  return new BackupError("AUTH_FAILED", `the passphrase in ${passphrase.file} does not open the key ${file}`);
}
