import { BackupError, type LoggedOn, type LoginContext, isBackupError, saveSecret } from "@backup/core";
import type { Tokens } from "./oauth2-answers.js";
import { browserLogin } from "./oauth2-browser-login.js";
import { deviceLogin } from "./oauth2-device-login.js";
import { type LoginArguments, type LoginSettings, loginSettings } from "./oauth2-login-settings.js";

/**
 * Has a person log on, and writes what a backup needs to log on by itself from then on.
 * @throws BackupError USAGE, AUTH_FAILED, ABORTED and others
 */
export async function oauth2Login(args: LoginArguments, context: LoginContext): Promise<LoggedOn> {
  const settings = await loginSettings(args, context.secretsDirectory);
  const { refreshToken } = await logOn(settings, context);
  if (refreshToken === undefined)
    throw new BackupError(
      "AUTH_FAILED",
      `${settings.client.tokenUrl.host} gave no refresh token, and without it a login ends within the hour; ` +
        "ask for one with --scope (often: offline_access)",
    );
  const { file, fields } = settings;
  await saveSecret(file, `${JSON.stringify({ ...fields, refresh_token: refreshToken.reveal() }, undefined, 2)}\n`);
  return { user: args.user, file };
}

async function logOn({ client, way }: LoginSettings, { show, signal }: LoginContext): Promise<Tokens> {
  try {
    return "deviceUrl" in way
      ? await deviceLogin({ client, ...way, signal, show })
      : await browserLogin({ client, ...way, signal, show: (url) => show({ url }) });
  } catch (error) {
    if (!isBackupError(error, "ABORTED")) throw error;
    throw new BackupError("ABORTED", "stopped; nobody was logged on, and no file was written", { cause: error });
  }
}
