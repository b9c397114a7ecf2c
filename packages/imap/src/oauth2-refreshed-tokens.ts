import { type EventSink, Secret, findSecret, isBackupError, saveSecret } from "@backup/core";
import type { AccessToken, TokenSource } from "./login.js";
import { type Tokens, refusedBy, tokensFrom } from "./oauth2-answers.js";
import { type Answer, askEndpoint } from "./oauth2-endpoint.js";
import { type RefreshFile, readOAuth2 } from "./oauth2-file.js";

export interface RefreshedTokensOptions {
  readonly login: RefreshFile;
  readonly user: string;
  readonly onEvent?: EventSink | undefined;
}

/** So long a token must be valid still, milliseconds: connecting takes time, and clocks differ. */
const MARGIN_MS = 60_000;

/**
 * Access tokens for a refresh token (RFC 6749, section 6), each kept until it is about to expire or is refused. A refresh
 * token that the server renews is in its file before the access token that came with it is used.
 */
export class RefreshedTokens implements TokenSource {
  readonly #user: string;
  readonly #onEvent: EventSink;
  readonly #secrets: Secret[] = [];
  readonly advice: string;
  /** As it was last read from its file. */
  #login: RefreshFile;
  /** The newest one, which may be newer than the file's. */
  #refreshToken: Secret;
  #current: Tokens | undefined;
  #refreshing: Promise<unknown> | undefined;
  #warned = false;

  constructor({ login, user, onEvent = () => {} }: RefreshedTokensOptions) {
    this.#login = login;
    this.#refreshToken = login.refreshToken;
    this.#user = user;
    this.#onEvent = onEvent;
    this.advice = `check the user name, and that ${login.name} was made for this account; if so: ${this.#loginAgain()}`;
  }

  get secrets(): readonly Secret[] {
    return this.#secrets;
  }

  async get(signal: AbortSignal, refused?: Secret): Promise<AccessToken> {
    // One at a time: a refresh token may be good for one use.
    while (this.#refreshing) await this.#refreshing;
    const current = this.#current;
    if (current && !isSame(current.accessToken, refused) && current.expiresAt - Date.now() > MARGIN_MS)
      return { token: current.accessToken, isNew: false };
    const work = this.#refresh(signal);
    this.#refreshing = work.catch(() => {});
    try {
      this.#current = await work;
      return { token: this.#current.accessToken, isNew: true };
    } finally {
      this.#refreshing = undefined;
    }
  }

  async #refresh(signal: AbortSignal): Promise<Tokens> {
    await this.#readAgain();
    let answer = await this.#ask(signal);
    // Another run may have used it up, and saved the next one, in the meantime.
    if (!answer.ok && answer.error === "invalid_grant" && (await this.#readAgain())) answer = await this.#ask(signal);
    const { client, name } = this.#login;
    if (!answer.ok)
      throw refusedBy(answer, {
        client,
        invalidGrant: `the login in ${name} has expired or was revoked%s; ${this.#loginAgain()}`,
        secrets: [...this.#secrets, this.#refreshToken, ...(client.secret ? [client.secret] : [])],
      });
    const tokens = tokensFrom(answer.fields, client);
    this.#secrets.push(tokens.accessToken);
    if (tokens.refreshToken && !isSame(tokens.refreshToken, this.#refreshToken)) await this.#keep(tokens.refreshToken);
    return tokens;
  }

  #ask(signal: AbortSignal): Promise<Answer> {
    const { client } = this.#login;
    const fields = {
      grant_type: "refresh_token",
      refresh_token: this.#refreshToken.reveal(),
      client_id: client.id,
      client_secret: client.secret?.reveal(),
      scope: client.scope,
    };
    return askEndpoint(client.tokenUrl, fields, signal);
  }

  /** Whether the file holds another refresh token than when it was last looked at. */
  async #readAgain(): Promise<boolean> {
    const before = this.#login;
    if (before.file === undefined) return false;
    try {
      const parameter = before.file;
      const secret = await findSecret({ parameter, option: "--srcsecret", partner: this.#user, extensions: [] });
      const login = readOAuth2(secret, this.#user);
      if (login.kind !== "refresh" || isSame(login.refreshToken, before.refreshToken)) return false;
      this.#login = login;
      this.#refreshToken = login.refreshToken;
      return true;
    } catch (error) {
      // It was readable when the run began, and what was read then may still be good: the server says whether it is.
      if (isBackupError(error)) return false;
      throw error;
    }
  }

  async #keep(refreshToken: Secret): Promise<void> {
    this.#refreshToken = refreshToken;
    const { file, name, textWith } = this.#login;
    if (file === undefined) return this.#warn(`${name} came from no file`);
    try {
      await saveSecret(file, textWith(refreshToken));
      this.#login = { ...this.#login, refreshToken };
    } catch (error) {
      if (!isBackupError(error, "SECRET_UNWRITABLE")) throw error;
      this.#warn(error.message);
    }
  }

  #warn(why: string): void {
    if (this.#warned) return;
    this.#warned = true;
    const message =
      `the server has renewed the login of ${this.#user}, and the new one is not saved: ${why}. ` +
      "This run goes on, and a later one may be refused; give it a file that can be written";
    this.#onEvent({ type: "warning", code: "SECRET_UNWRITABLE", message });
  }

  #loginAgain(): string {
    const { file } = this.#login;
    return `run: backup login imap ${this.#user}${file === undefined ? "" : ` --out ${file}`}`;
  }
}

function isSame(one: Secret, other: Secret | undefined): boolean {
  return one.reveal() === other?.reveal();
}
