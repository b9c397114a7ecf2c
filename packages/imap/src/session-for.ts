import { type PluginContext, readCertificates } from "@backup/core";
import { loginWith } from "./login-with.js";
import { parseServer } from "./server.js";
import type { SessionOptions } from "./session.js";

/** An account, as a person names it. */
export interface ImapAccountOptions {
  /** The logon name, usually the mail address. */
  readonly user: string;
  /** See parseServer. */
  readonly server: string;
  /** File of certificates (PEM) that are trusted besides the system's. */
  readonly tlsCa?: string | undefined;
  /** Longest silence of the server, milliseconds. */
  readonly timeoutMs?: number | undefined;
}

/** What of a plugin's context a login takes. */
export type LoginContext = Pick<PluginContext, "onEvent" | "trace" | "secret">;

/** How to connect to an account. @throws BackupError USAGE, SECRET_MISSING */
export async function sessionFor(
  { user, server: text, tlsCa, timeoutMs }: ImapAccountOptions,
  { onEvent, trace, secret }: LoginContext,
): Promise<SessionOptions> {
  const server = parseServer(text);
  const ca = tlsCa === undefined ? undefined : (await readCertificates(tlsCa, "--tls-ca")).join("");
  // Whoever has both has made the first one because the second one is not enough any more.
  const found = await secret({ partner: user, extensions: [".oauth2", ".password"] });
  return { server, login: loginWith(found, { user, onEvent }), ca, timeoutMs, onEvent, trace };
}
