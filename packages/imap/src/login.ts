import { type Secret, isBackupError } from "@backup/core";

/** Who logs on, and how. */
export type Login = PasswordLogin | TokenLogin;

export interface PasswordLogin {
  readonly user: string;
  readonly password: Secret;
}

/** By SASL OAUTHBEARER (RFC 7628), or XOAUTH2 where the server does not offer that. */
export interface TokenLogin {
  readonly user: string;
  readonly tokens: TokenSource;
}

export interface AccessToken {
  readonly token: Secret;
  /** Made for this call: if it is refused, another one would be too. */
  readonly isNew: boolean;
}

/** Where access tokens come from. Several connections may share one. */
export interface TokenSource {
  /**
   * A token that is valid for a minute at least, as far as that is known, and is not the one that was refused.
   * @throws BackupError
   */
  get(signal: AbortSignal, refused?: Secret): Promise<AccessToken>;
  /** Every token so far: a server may send back what it got. */
  readonly secrets: readonly Secret[];
  /** What to do when the server refuses a token that is new. */
  readonly advice: string;
}

/** As imapflow takes them. */
export type Credentials =
  | { readonly user: string; readonly pass: string }
  | { readonly user: string; readonly accessToken: string };

/** Connects with credentials that are good now; once more with a new token if one that is not new is refused. */
export async function logOn<T>(
  login: Login,
  signal: AbortSignal,
  connect: (credentials: Credentials) => Promise<T>,
): Promise<T> {
  const { user } = login;
  if ("password" in login) return connect({ user, pass: login.password.reveal() });
  const { token, isNew } = await login.tokens.get(signal);
  try {
    return await connect({ user, accessToken: token.reveal() });
  } catch (error) {
    if (isNew || !isBackupError(error, "AUTH_FAILED")) throw error;
  }
  const another = await login.tokens.get(signal, token);
  return connect({ user, accessToken: another.token.reveal() });
}

/** What must not be shown of a connection. */
export function secretsOf(login: Login): readonly Secret[] {
  return "password" in login ? [login.password] : login.tokens.secrets;
}

/** What messages about a connection need to know of its login. */
export function toPlace(login: Login): {
  readonly user: string;
  readonly secret: readonly Secret[];
  readonly advice?: string;
  readonly means?: string;
} {
  const common = { user: login.user, secret: secretsOf(login) };
  if ("password" in login) return common;
  return { ...common, advice: login.tokens.advice, means: "an OAuth2 token (OAUTHBEARER or XOAUTH2)" };
}
