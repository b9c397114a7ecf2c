import { randomUUID } from "node:crypto";
import { defaultCertificates, readCertificates } from "@backup/core";
import type { ActionContext } from "../action.js";
import { ownHostName, parseHostName } from "./host-name.js";
import { parseMailAddress } from "./mail-address.js";
import { findMailPassword } from "./mail-password.js";
import { type Mail, type MailRoute, sendMail } from "./mail-send.js";
import { formatMailServer, parseMailServer } from "./mail-server.js";
import { headline, reportText } from "./report-text.js";
import type { MailSettings, Reporter } from "./reporter.js";
import { retryReport } from "./retry.js";

/**
 * Mails how a run went. What can be wrong before there is something to mail is found out here.
 * @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE
 */
export async function openMail(
  settings: MailSettings,
  context: Pick<ActionContext, "secrets" | "onEvent">,
): Promise<Reporter> {
  const hostname =
    settings.hostname === undefined ? ownHostName() : parseHostName(settings.hostname, "hostname of mail");
  const from = parseMailAddress(settings.from ?? `backup@${hostname}`, "from of mail");
  const to = settings.to.map((text) => parseMailAddress(text, "to of mail"));
  const route = await openRoute(settings, hostname, context);
  const names = to.map(({ address }) => address);
  return {
    name: `mail to ${names.join(", ")}`,
    async ended(result, signal) {
      if (settings.when === "failure" && result.outcome === "ok") return;
      const mail: Mail = {
        from,
        to,
        // The same in every try: a server that has it already tells it by that.
        messageId: `<${randomUUID()}@${hostname}>`,
        subject: `backup ${hostname}: ${headline(result)}`,
        text: reportText(result, hostname),
      };
      let left: readonly string[] = names;
      const attempt = async (): Promise<void> => {
        const refused = await sendMail(route, mail, left, signal);
        // Who has it gets it no second time.
        left = refused?.addresses ?? [];
        if (refused) throw refused.error;
      };
      const what = `the report could not be mailed to ${names.join(", ")} by ${formatMailServer(route.server)}`;
      await retryReport(attempt, { signal, what });
    },
  };
}

async function openRoute(
  { url = "smtp://localhost", ssl, passwordFile, tlsCa }: MailSettings,
  hostname: string,
  context: Pick<ActionContext, "secrets" | "onEvent">,
): Promise<MailRoute> {
  const server = parseMailServer(url, { ssl, setting: "url of mail" });
  const password = await findMailPassword(server, passwordFile, context);
  const own = tlsCa === undefined ? undefined : await readCertificates(tlsCa, "MAIL_TLS_CA");
  const ca = own && [...defaultCertificates(), ...own];
  return { server, password, ca, hostname };
}
