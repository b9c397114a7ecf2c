import { isAbsolute } from "node:path";
import { BackupError, type PluginOptions } from "@backup/core";
import type { LoginArguments } from "./oauth2-login-settings.js";

/** Words of `backup login imap USER`. */
export const LOGIN_WORDS = [{ name: "user", describe: "Logon name of the account, mostly the mail address" }] as const;

export const LOGIN_OPTIONS = {
  provider: {
    type: "string",
    choices: ["google", "microsoft"],
    describe: "Whose addresses and scope to use, where no others are given",
  },
  "client-id": {
    type: "string",
    describe: "ID of an application of your own at the provider; default that of the file as it is",
  },
  "client-secret-file": {
    type: "string",
    describe: "File with the secret of that application, an absolute path, if it has one",
  },
  "token-url": { type: "string", describe: "Address that gives tokens" },
  "device-url": { type: "string", describe: "Address that gives a code to type in any browser (RFC 8628)" },
  "auth-url": { type: "string", describe: "Address to open in a browser of this machine (RFC 8252)" },
  scope: { type: "string", describe: "What to ask for" },
  out: { type: "string", describe: "File to write; default /backup/USER.oauth2" },
} as const satisfies PluginOptions;

export const LOGIN_EXAMPLES = [
  ["backup login imap alice@example.org --provider microsoft --client-id ID", "a code to type in any browser"],
  [
    "backup login imap alice@gmail.com --provider google --client-id ID --client-secret-file /root/client.secret",
    "an address to open in a browser of this machine",
  ],
  ["backup login imap alice@example.org", "again, as the file says, when the login has expired"],
] as const;

/** @throws BackupError USAGE */
export function checkLogin({ user, clientSecretFile, clientId, deviceUrl, authUrl }: LoginArguments): void {
  if (user === "") throw new BackupError("USAGE", "USER is empty; give the logon name");
  if (clientSecretFile !== undefined && !isAbsolute(clientSecretFile))
    throw new BackupError(
      "USAGE",
      `--client-secret-file must be an absolute path, and '${clientSecretFile}' is relative`,
    );
  if (clientSecretFile !== undefined && clientId === undefined)
    throw new BackupError("USAGE", "--client-secret-file needs --client-id, whose secret it is");
  if (deviceUrl !== undefined && authUrl !== undefined)
    throw new BackupError("USAGE", "--device-url and --auth-url are two ways to log on; give one");
}
