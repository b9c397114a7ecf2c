import { statSync } from "node:fs";
import { access, constants } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { BackupError, findSecret, isBackupError, systemCode } from "@backup/core";
import { endpointUrl } from "./oauth2-endpoint.js";
import { type OAuth2Client, type OAuth2Fields, readFields, toClient, wrongIn } from "./oauth2-file.js";
import { providerNamed } from "./oauth2-providers.js";

export interface LoginArguments {
  readonly user: string;
  readonly provider?: string | undefined;
  readonly clientId?: string | undefined;
  readonly clientSecretFile?: string | undefined;
  readonly tokenUrl?: string | undefined;
  readonly deviceUrl?: string | undefined;
  readonly authUrl?: string | undefined;
  readonly scope?: string | undefined;
  readonly out?: string | undefined;
}

export interface LoginSettings {
  /** To be written, absolute. */
  readonly file: string;
  /** What it will say, besides the refresh token. */
  readonly fields: OAuth2Fields;
  readonly client: OAuth2Client;
  /** One of both: by a code for any device, or in a browser here. */
  readonly way:
    | { readonly deviceUrl: URL }
    | { readonly authUrl: URL; readonly authParameters: Readonly<Record<string, string>> | undefined };
}

/**
 * How to log on, as the options say; without --client-id, as the file says that is there.
 * @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE, SECRET_UNWRITABLE
 */
export async function loginSettings(args: LoginArguments, secrets: string): Promise<LoginSettings> {
  const file = fileOf(args, secrets);
  await checkWritable(file);
  const old = args.clientId === undefined ? await readOld(file, args.user) : {};
  const fields = withoutUndefined({ ...old, ...(await given(args)), refresh_token: undefined, command: undefined });
  if (fields.client_id === undefined)
    throw new BackupError(
      "USAGE",
      `--client-id is missing, and ${file} names none; it is the ID of an application that you have registered, ` +
        "see docs/oauth2.md",
    );
  if (fields.provider === undefined && fields.token_url === undefined)
    throw new BackupError("USAGE", "say whom to log on to: --provider google or microsoft, or --token-url");
  return { file, fields, client: toClient(fields, wrongIn(file, args.user)), way: wayOf(fields, args) };
}

function fileOf({ user, out }: LoginArguments, secrets: string): string {
  if (out !== undefined) return resolve(out);
  if (/[/\0]/.test(user)) throw new BackupError("USAGE", `${user} cannot be a file's name; name the file with --out`);
  return join(secrets, `${user}.oauth2`);
}

/** Before a person does all that for nothing. */
async function checkWritable(file: string): Promise<void> {
  const fail = (why: string, cause?: unknown): BackupError => {
    const message = `${file} cannot be written (${why}); make it writable, or name another file with --out`;
    return new BackupError("SECRET_UNWRITABLE", message, { cause });
  };
  await access(dirname(file), constants.W_OK).catch((error: unknown) => {
    throw fail(systemCode(error) ?? "unknown error", error);
  });
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats && (stats.mode & 0o200) === 0) throw fail("it is read-only");
}

async function readOld(file: string, user: string): Promise<OAuth2Fields> {
  try {
    const secret = await findSecret({ parameter: file, option: "--out", partner: user, extensions: [] });
    return readFields(secret, wrongIn(file, user));
  } catch (error) {
    if (isBackupError(error, "SECRET_MISSING")) return {};
    throw error;
  }
}

async function given(args: LoginArguments): Promise<OAuth2Fields> {
  const { user, clientSecretFile: parameter } = args;
  const option = "--client-secret-file";
  const secret = parameter && (await findSecret({ parameter, option, partner: user, extensions: [] }));
  return withoutUndefined({
    provider: args.provider,
    client_id: args.clientId,
    // Written into the file of the login, which is as private.
    client_secret: secret ? secret.reveal() : undefined,
    token_url: checked("--token-url", args.tokenUrl),
    device_url: checked("--device-url", args.deviceUrl),
    auth_url: checked("--auth-url", args.authUrl),
    scope: args.scope,
  });
}

function checked(option: string, text: string | undefined): string | undefined {
  return text === undefined ? undefined : toUrl(option, text).href;
}

function toUrl(what: string, text: string): URL {
  return endpointUrl(text, (problem) => new BackupError("USAGE", `${what} ${problem}`));
}

function wayOf(fields: OAuth2Fields, args: LoginArguments): LoginSettings["way"] {
  const provider = fields.provider === undefined ? undefined : providerNamed(fields.provider);
  // What is given counts before what the file or the provider has.
  const device = args.deviceUrl ?? (args.authUrl ? undefined : fields.device_url);
  const auth = args.authUrl ?? fields.auth_url;
  const authParameters = provider?.authParameters;
  if (device !== undefined) return { deviceUrl: toUrl("the address for devices", device) };
  if (auth !== undefined) return { authUrl: toUrl("the address for browsers", auth), authParameters };
  if (provider?.deviceUrl !== undefined) return { deviceUrl: new URL(provider.deviceUrl) };
  if (provider?.authUrl !== undefined) return { authUrl: new URL(provider.authUrl), authParameters };
  throw new BackupError(
    "USAGE",
    "say how to log on: --device-url (a code for any device) or --auth-url (a browser here)",
  );
}

function withoutUndefined(fields: OAuth2Fields): OAuth2Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
