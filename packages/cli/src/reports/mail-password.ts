import { BackupError, type PluginContext, type Secret, isBackupError } from "@backup/core";
import { type MailServer, formatMailServer } from "./mail-server.js";

/**
 * The password of the server's user, from the file given, or from /backup/USER.password, or /backup/HOST.password.
 * Undefined: nobody logs in.
 * @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE
 */
export async function findMailPassword(
  server: MailServer,
  file: string | undefined,
  { secret, secretsDirectory, onEvent }: Pick<PluginContext, "secret" | "secretsDirectory" | "onEvent">,
): Promise<Secret | undefined> {
  const { user, host, password } = server;
  const where = formatMailServer(server);
  if (user === undefined && file === undefined) return undefined;
  if (user === undefined)
    throw new BackupError("USAGE", `there is a password for ${where}, but no user; write smtp://USER@${host}`);
  if (password !== undefined) {
    const message = `the address of ${where} holds a password, which other programs may see; put it into a file ${secretsDirectory}/${user}.password (chmod 600)`;
    onEvent({ type: "warning", code: "SECRET_EXPOSED", message });
  }
  if (password !== undefined && file === undefined) return password;
  const common = { option: "password", extensions: [".password"] };
  for (const partner of file === undefined ? [user, host] : [user]) {
    try {
      return await secret({ ...common, partner });
    } catch (error) {
      if (file !== undefined || !isBackupError(error, "SECRET_MISSING")) throw error;
    }
  }
  throw new BackupError(
    "SECRET_MISSING",
    `no password found for ${user} at ${where}; looked for ${secretsDirectory}/${user}.password and ${secretsDirectory}/${host}.password. ` +
      "Put it into one of them (chmod 600), or into a file that MAIL_PASSWORD_FILE names",
  );
}
