import type { EventSink, Secret } from "@backup/core";
import type { Login } from "./login.js";
import { isOAuth2, readOAuth2 } from "./oauth2-file.js";
import { RefreshedTokens } from "./oauth2-refreshed-tokens.js";
import { CommandTokens } from "./oauth2-command-tokens.js";

export interface LoginOptions {
  readonly user: string;
  readonly onEvent?: EventSink | undefined;
}

/**
 * The login that a secret is for: OAuth2 if its file is named `.oauth2` or it reads like one, else by password.
 * @throws BackupError SECRET_UNREADABLE
 */
export function loginWith(secret: Secret, { user, onEvent }: LoginOptions): Login {
  if (!isOAuth2(secret)) return { user, password: secret };
  const login = readOAuth2(secret, user);
  const tokens =
    login.kind === "command" ? new CommandTokens(login, user) : new RefreshedTokens({ login, user, onEvent });
  return { user, tokens };
}
