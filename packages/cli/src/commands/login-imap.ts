import { isAbsolute } from "node:path";
import { BackupError } from "@backup/core";
import type { LoginArguments } from "../login/login-settings.js";
import type { Subcommand } from "./subcommand.js";

/** `backup login imap USER`: an OAuth2 login, for servers that take no password. */
export const loginImapCommand: Subcommand<LoginArguments> = {
  name: "login imap",
  summary: "log on by OAuth2, for mail servers that take no password, and keep the login in a file",
  positionals: [{ name: "user", describe: "Logon name of the account, mostly the mail address" }],
  options: {
    provider: {
      type: "string",
      choices: ["google", "microsoft"],
      requiresArg: true,
      describe: "Whose addresses and scope to use, where no others are given",
    },
    "client-id": {
      type: "string",
      requiresArg: true,
      describe: "ID of an application of your own at the provider; default that of the file as it is",
    },
    "client-secret-file": {
      type: "string",
      requiresArg: true,
      describe: "File with the secret of that application, an absolute path, if it has one",
    },
    "token-url": { type: "string", requiresArg: true, describe: "Address that gives tokens" },
    "device-url": {
      type: "string",
      requiresArg: true,
      describe: "Address that gives a code to type in any browser (RFC 8628)",
    },
    "auth-url": {
      type: "string",
      requiresArg: true,
      describe: "Address to open in a browser of this machine (RFC 8252)",
    },
    scope: { type: "string", requiresArg: true, describe: "What to ask for" },
    out: { type: "string", requiresArg: true, describe: "File to write; default /backup/USER.oauth2" },
  },
  examples: [
    ["backup login imap alice@example.org --provider microsoft --client-id ID", "a code to type in any browser"],
    [
      "backup login imap alice@gmail.com --provider google --client-id ID --client-secret-file /root/client.secret",
      "an address to open in a browser of this machine",
    ],
    ["backup login imap alice@example.org", "again, as the file says, when the login has expired"],
  ],
  check({ user, clientSecretFile, clientId, deviceUrl, authUrl }) {
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
  },
  async run(args, context) {
    // Loaded when used: it costs start-up time.
    const { login } = await import("../login/login.js");
    return login(args, context);
  },
};
