import { BackupError, Secret } from "@backup/core";
import { quote } from "./imap-errors.js";
import type { Answer } from "./oauth2-endpoint.js";
import type { OAuth2Client } from "./oauth2-file.js";

/** What a token endpoint gives (RFC 6749, section 5.1). */
export interface Tokens {
  readonly accessToken: Secret;
  /** Milliseconds since 1970; infinite where the server does not say. */
  readonly expiresAt: number;
  readonly refreshToken: Secret | undefined;
}

/** VCHAR and nothing else, as a field of SASL can hold it (RFC 6750, section 2.1; RFC 7628, section 3.1). */
const TOKEN = /^[\x21-\x7e]+$/;

/** @throws BackupError PROTOCOL */
export function tokensFrom(fields: Readonly<Record<string, unknown>>, { tokenUrl }: OAuth2Client): Tokens {
  const { access_token: accessToken, token_type: type, expires_in: lifetime, refresh_token: refreshToken } = fields;
  const wrong = (what: string): BackupError =>
    new BackupError("PROTOCOL", `${tokenUrl.host} ${what}; check that token_url is the address of an OAuth2 server`);
  if (typeof accessToken !== "string" || !TOKEN.test(accessToken)) throw wrong("gave no access token");
  if (typeof type === "string" && type.toLowerCase() !== "bearer")
    throw wrong("gave a token of another type than Bearer");
  // Some write it as a text.
  const seconds = typeof lifetime === "number" || typeof lifetime === "string" ? Number(lifetime) : Number.NaN;
  return {
    accessToken: new Secret(accessToken),
    expiresAt: seconds > 0 ? Date.now() + seconds * 1000 : Number.POSITIVE_INFINITY,
    refreshToken: typeof refreshToken === "string" && refreshToken !== "" ? new Secret(refreshToken) : undefined,
  };
}

export interface Refused {
  readonly client: OAuth2Client;
  /** What to say of `invalid_grant` (RFC 6749, section 5.2); `%s` is what the server says of it. */
  readonly invalidGrant: string;
  readonly secrets: readonly Secret[];
}

/** An error that a token or device endpoint answered with, as one for a person. */
export function refusedBy(
  answer: Extract<Answer, { ok: false }>,
  { client, invalidGrant, secrets }: Refused,
): BackupError {
  const { host } = client.tokenUrl;
  // Some describe without a code that is known; the code is a server's text too.
  const said = quote([answer.error, answer.description].filter((text) => text !== "").join(": "), secrets);
  const expired = invalidGrant.replace("%s", () => said);
  const denied = `the login was denied${said}; if that was not meant, log on again`;
  const messages: Readonly<Record<string, string>> = {
    invalid_grant: expired,
    // Of OpenID Connect, which Microsoft answers with when more than the old login is wanted.
    interaction_required: expired,
    invalid_client: `${host} does not accept client_id and client_secret${said}; check both`,
    unauthorized_client: `${host} does not let this client_id log on in this way${said}; check how it is registered`,
    invalid_scope: `${host} does not give this scope to this client_id${said}; check how it is registered`,
    access_denied: denied,
    // Microsoft's word for it.
    authorization_declined: denied,
    expired_token: "the login was not completed in time; start it again",
  };
  const message = Object.hasOwn(messages, answer.error) ? messages[answer.error] : undefined;
  return new BackupError("AUTH_FAILED", message ?? `${host} gave no token${said}; see docs/oauth2.md`);
}
