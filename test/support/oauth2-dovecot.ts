import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AuthorizationServer } from "./authorization-server.js";
import { type DovecotOptions, startDovecot } from "./dovecot.js";
import type { MailServer } from "./mail-server.js";
import { temporaryDirectory } from "./temporary-directory.js";

export interface OAuth2DovecotOptions extends DovecotOptions {
  /** Default: both. */
  readonly mechanisms?: readonly ("xoauth2" | "oauthbearer")[];
}

/** A Dovecot that asks an authorization server whose a token is (RFC 7662), beside its passwords. */
export async function startOAuth2Dovecot(
  { url }: AuthorizationServer,
  { mechanisms = ["xoauth2", "oauthbearer"], ...options }: OAuth2DovecotOptions = {},
): Promise<MailServer> {
  const directory = await temporaryDirectory();
  const file = join(directory.path, "dovecot-oauth2.conf.ext");
  await writeFile(
    file,
    `introspection_mode = post
introspection_url = ${url}/introspect
force_introspection = yes
username_attribute = username
active_attribute = active
active_value = true
`,
  );
  const extraConfig = `
auth_mechanisms = plain login ${mechanisms.join(" ")}
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = ${file}
}
`;
  try {
    const server = await startDovecot({ ...options, extraConfig });
    const stop = async (): Promise<void> => {
      await server.stop();
      await directory[Symbol.asyncDispose]();
    };
    return { ...server, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    throw error;
  }
}
