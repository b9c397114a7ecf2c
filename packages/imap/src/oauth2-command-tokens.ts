import { BackupError, Secret, secretFromCommand } from "@backup/core";
import type { AccessToken, TokenSource } from "./login.js";
import type { CommandFile } from "./oauth2-file.js";

/** Tokens that a program prints: it is asked for each connection, and keeps them itself if it wants to. */
export class CommandTokens implements TokenSource {
  readonly #login: CommandFile;
  readonly #secrets: Secret[] = [];
  readonly advice: string;

  constructor(login: CommandFile, user: string) {
    this.#login = login;
    this.advice = `check that the command of ${login.name} prints an access token for the mail of ${user}`;
  }

  get secrets(): readonly Secret[] {
    return this.#secrets;
  }

  async get(signal: AbortSignal): Promise<AccessToken> {
    const { name, command } = this.#login;
    const printed = await secretFromCommand({ command, what: name, env: process.env, signal });
    const text = printed.toString("latin1").trim();
    if (!/^[\x21-\x7e]+$/.test(text))
      throw new BackupError("SECRET_UNREADABLE", `${name}: the command ${command[0]} prints more than an access token`);
    const token = new Secret(text);
    this.#secrets.push(token);
    return { token, isNew: true };
  }
}
