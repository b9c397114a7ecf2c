import { randomUUID } from "node:crypto";
import {
  type Notifier,
  type PluginContext,
  type SessionResult,
  defaultCertificates,
  readCertificates,
  throwIfAborted,
} from "@backup/core";
import { ownHostName, parseHostName } from "./host-name.js";
import { parseMailAddress } from "./mail-address.js";
import { findMailPassword } from "./mail-password.js";
import { type Mail, type MailRoute, sendMail } from "./mail-send.js";
import { formatMailServer, parseMailServer } from "./mail-server.js";
import { givenUp } from "./report-failed.js";
import { headline, reportText } from "./report-text.js";

/** As the options of mail say it. */
export interface MailSettings {
  /** `you@example.org` or `You <you@example.org>`. */
  readonly to: readonly string[];
  /** Default: backup@ and `hostname`. */
  readonly from?: string | undefined;
  /** smtp://[USER@]HOST[:PORT] or smtps://…; default smtp://localhost. */
  readonly url?: string | undefined;
  /** TLS from the first byte, as smtps has it. */
  readonly ssl?: boolean | undefined;
  /** What this machine calls itself: in EHLO and in the subject. Default: its name. */
  readonly hostname?: string | undefined;
  /** Default always. */
  readonly when?: "always" | "failure" | undefined;
  /** File with the password of `url`'s USER, an absolute path; default /backup/USER.password, /backup/HOST.password. */
  readonly password?: string | undefined;
  /** File of certificates (PEM) that are trusted besides the usual ones. */
  readonly tlsCa?: string | undefined;
}

type MailContext = Pick<PluginContext, "secret" | "secretsDirectory" | "onEvent">;

/** A mail that is being sent: who has it gets it no second time. */
interface Underway {
  readonly mail: Mail;
  left: readonly string[];
}

/**
 * Mails how a run went. What can be wrong before there is something to mail is found out here.
 * @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE
 */
export async function openMail(settings: MailSettings, context: MailContext): Promise<Notifier> {
  const hostname = settings.hostname === undefined ? ownHostName() : parseHostName(settings.hostname, "--hostname");
  const from = parseMailAddress(settings.from ?? `backup@${hostname}`, "--from");
  const to = settings.to.map((text) => parseMailAddress(text, "--to"));
  const route = await openRoute(settings, hostname, context);
  const names = to.map(({ address }) => address);
  const what = `the report could not be mailed to ${names.join(", ")} by ${formatMailServer(route.server)}`;
  const begin = (result: SessionResult): Underway => ({
    mail: {
      from,
      to,
      // The same in every try: a server that has it already tells it by that.
      messageId: `<${randomUUID()}@${hostname}>`,
      subject: `backup ${hostname}: ${headline(result)}`,
      text: reportText(result, hostname),
    },
    left: names,
  });
  const tries = new WeakMap<SessionResult, Underway>();
  return {
    name: `mail to ${names.join(", ")}`,
    async ended(result, signal) {
      if (settings.when === "failure" && result.outcome === "ok") return;
      const underway = tries.get(result) ?? begin(result);
      tries.set(result, underway);
      try {
        throwIfAborted(signal);
        const refused = await sendMail(route, underway.mail, underway.left, signal);
        underway.left = refused?.addresses ?? [];
        if (refused) throw refused.error;
      } catch (error) {
        // What the signal itself ended says nothing.
        throw signal.aborted ? givenUp(what, signal, error) : error;
      }
    },
  };
}

async function openRoute(
  { url = "smtp://localhost", ssl, password: file, tlsCa }: MailSettings,
  hostname: string,
  context: MailContext,
): Promise<MailRoute> {
  const server = parseMailServer(url, { ssl, setting: "--url" });
  const password = await findMailPassword(server, file, context);
  const own = tlsCa === undefined ? undefined : await readCertificates(tlsCa, "MAIL_TLS_CA");
  const ca = own && [...defaultCertificates(), ...own];
  return { server, password, ca, hostname };
}
