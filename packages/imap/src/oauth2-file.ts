import { BackupError, Secret } from "@backup/core";
import { endpointUrl } from "./oauth2-endpoint.js";
import { OAUTH2_PROVIDERS, providerNamed } from "./oauth2-providers.js";

/** What an `.oauth2` file may say, as it is written there; see docs/oauth2.md. */
export interface OAuth2Fields {
  readonly provider?: string | undefined;
  readonly client_id?: string | undefined;
  readonly client_secret?: string | undefined;
  readonly refresh_token?: string | undefined;
  readonly token_url?: string | undefined;
  readonly device_url?: string | undefined;
  readonly auth_url?: string | undefined;
  readonly scope?: string | undefined;
  /** A program, and its arguments, that prints an access token: instead of all the others. */
  readonly command?: readonly string[] | undefined;
}

/** An application as it is registered at an authorization server (RFC 6749, section 2). */
export interface OAuth2Client {
  readonly id: string;
  readonly secret?: Secret | undefined;
  readonly tokenUrl: URL;
  readonly scope?: string | undefined;
}

export interface RefreshFile {
  readonly kind: "refresh";
  readonly client: OAuth2Client;
  readonly refreshToken: Secret;
  /** What to call it: its file. */
  readonly name: string;
  /** Where a renewed token is saved; undefined for what came from no file. */
  readonly file: string | undefined;
  /** The file's text with another refresh token, and all else as it was. */
  readonly textWith: (refreshToken: Secret) => string;
}

export interface CommandFile {
  readonly kind: "command";
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

export type OAuth2File = RefreshFile | CommandFile;

const TEXTS = [
  "provider",
  "client_id",
  "client_secret",
  "refresh_token",
  "token_url",
  "device_url",
  "auth_url",
  "scope",
] as const;

/** By its file's name, else by what it holds: nobody's password is an object of JSON with such a key. */
export function isOAuth2(secret: Secret): boolean {
  if (secret.file?.endsWith(".oauth2")) return true;
  if (secret.file?.endsWith(".password")) return false;
  const fields = objectOf(secret);
  return fields !== undefined && (Object.hasOwn(fields, "refresh_token") || Object.hasOwn(fields, "command"));
}

/**
 * Reads an OAuth2 login of a user.
 * @throws BackupError SECRET_UNREADABLE, which names the key that is wrong and never says what it holds
 */
export function readOAuth2(secret: Secret, user: string): OAuth2File {
  const name = secret.file ?? `the OAuth2 login of ${user}`;
  const wrong = wrongIn(name, user);
  const fields = readFields(secret, wrong);
  if (fields.command !== undefined) return { kind: "command", name, command: toCommand(fields.command, wrong) };
  const { refresh_token: refreshToken } = fields;
  if (!refreshToken) throw wrong("it has no refresh_token");
  return {
    kind: "refresh",
    name,
    file: secret.file,
    // What was granted, where the file does not say otherwise (RFC 6749, section 6).
    client: { ...toClient(fields, wrong), scope: fields.scope },
    refreshToken: new Secret(refreshToken),
    textWith: (token) => `${JSON.stringify({ ...fields, refresh_token: token.reveal() }, undefined, 2)}\n`,
  };
}

/** The application that a file, or whoever logs on, names. @throws what `wrong` makes */
export function toClient(fields: OAuth2Fields, wrong: (what: string) => BackupError): OAuth2Client {
  const { provider: name, client_id: id, client_secret: secret, token_url: tokenUrl, scope } = fields;
  const provider = name === undefined ? undefined : providerNamed(name);
  if (name !== undefined && provider === undefined)
    throw wrong(`its provider is none of ${Object.keys(OAUTH2_PROVIDERS).join(", ")}`);
  if (!id) throw wrong("it has no client_id");
  const address = tokenUrl ?? provider?.tokenUrl;
  if (address === undefined) throw wrong("it has neither a provider nor a token_url");
  return {
    id,
    secret: secret ? new Secret(secret) : undefined,
    tokenUrl: endpointUrl(address, (what) => wrong(`its token_url ${what}`)),
    scope: scope ?? provider?.scope,
  };
}

/** What a file says, of the types that it must have. @throws what `wrong` makes */
export function readFields(secret: Secret, wrong: (what: string) => BackupError): OAuth2Fields {
  const fields = objectOf(secret);
  if (fields === undefined) throw wrong("it is no object of JSON, {…}");
  for (const key of TEXTS)
    if (fields[key] !== undefined && typeof fields[key] !== "string") throw wrong(`its ${key} is no text`);
  return fields;
}

/** What is wrong in a file, and what to do about it. */
export function wrongIn(name: string, user: string): (what: string) => BackupError {
  return (what) =>
    new BackupError(
      "SECRET_UNREADABLE",
      `${name} is no OAuth2 login: ${what}; make it anew with: backup login imap ${user}, or see docs/oauth2.md`,
    );
}

function toCommand(given: unknown, wrong: (what: string) => BackupError): readonly [string, ...string[]] {
  const words: readonly unknown[] = Array.isArray(given) ? given : [];
  const [program, ...args] = words.filter((word): word is string => typeof word === "string");
  if (program === undefined || program === "" || args.length + 1 !== words.length)
    throw wrong('its command is no list of texts, ["program", "argument"]');
  return [program, ...args];
}

/** What JSON.parse says of a wrong text quotes it, and so is not told. */
function objectOf(secret: Secret): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(secret.reveal());
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
