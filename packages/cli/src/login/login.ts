import { BackupError, isBackupError, saveSecret } from "@backup/core";
import { type Tokens, browserLogin, deviceLogin } from "@backup/imap";
import type { CommandContext } from "../commands/subcommand.js";
import { EXIT } from "../exit-code.js";
import { jsonLine, printable } from "../render/text.js";
import { type LoginArguments, type LoginSettings, loginSettings } from "./login-settings.js";

/**
 * Has a person log on, and writes what a backup needs to log on by itself from then on.
 * @throws BackupError USAGE, AUTH_FAILED, ABORTED and others
 */
export async function login(args: LoginArguments, context: CommandContext): Promise<number> {
  const { json, quiet, secrets } = context;
  const settings = await loginSettings(args, secrets);
  const { refreshToken } = await logOn(settings, context);
  if (refreshToken === undefined)
    throw new BackupError(
      "AUTH_FAILED",
      `${settings.client.tokenUrl.host} gave no refresh token, and without it a login ends within the hour; ` +
        "ask for one with --scope (often: offline_access)",
    );
  const { file, fields } = settings;
  await saveSecret(file, `${JSON.stringify({ ...fields, refresh_token: refreshToken.reveal() }, undefined, 2)}\n`);
  if (json) process.stdout.write(jsonLine({ type: "logged-on", user: args.user, file }));
  else if (!quiet) process.stdout.write(`${printable(`${args.user} is logged on; ${file} is written`)}\n`);
  return EXIT.done;
}

async function logOn({ client, way }: LoginSettings, { json, signal }: CommandContext): Promise<Tokens> {
  const show = (url: string, code?: string, expiresInS?: number): void => {
    if (json) return void process.stdout.write(jsonLine({ type: "login", url, code, expiresInS }));
    const lines =
      code === undefined
        ? ["Open this address in a browser of this machine, and log on:", `  ${url}`]
        : [`Open ${url} in any browser, and type this code there:`, `  ${code}`];
    process.stdout.write(`${lines.map(printable).join("\n")}\nWaiting. Ctrl-C gives up.\n`);
  };
  try {
    return "deviceUrl" in way
      ? await deviceLogin({ client, ...way, signal, show: ({ url, code, expiresInS }) => show(url, code, expiresInS) })
      : await browserLogin({ client, ...way, signal, show });
  } catch (error) {
    if (!isBackupError(error, "ABORTED")) throw error;
    throw new BackupError("ABORTED", "stopped; nobody was logged on, and no file was written", { cause: error });
  }
}
