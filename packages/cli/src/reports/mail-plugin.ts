import { definePlugin } from "@backup/core";
import { parseHostName } from "./host-name.js";
import { parseMailAddress } from "./mail-address.js";
import { parseMailServer } from "./mail-server.js";

/** A mail after each run. The password is in a file `<user>.password`, or `<host>.password`. */
export const mailPlugin = definePlugin({
  kind: "notifier",
  name: "mail",
  summary: "a mail after each run",
  options: {
    to: { type: "string", array: true, isRequired: true, describe: "Who gets a mail after each run" },
    from: { type: "string", describe: "Who it is from; default: backup@ and the hostname" },
    url: {
      type: "string",
      describe: "Mail server, smtp://[user@]host[:port] or smtps:// likewise; default smtp://localhost",
      pattern: "^(?:smtps?://)?(?:[^\\s:/@]+@)?(?:\\[[0-9a-fA-F:.]+\\]|[^\\s:/@]+)(?::\\d{1,5})?/?$",
      takes: "takes smtp://[USER@]HOST[:PORT] or smtps://…, without a password; that is named by password",
    },
    password: {
      type: "string",
      isSecret: true,
      variable: "MAIL_PASSWORD_FILE",
      describe: "File with the password of the url's user; default /backup/USER.password, /backup/HOST.password",
    },
    ssl: { type: "boolean", default: null, describe: "TLS from the first byte, as smtps:// has it" },
    "tls-ca": { type: "string", describe: "File of certificates to trust besides the usual ones" },
    hostname: { type: "string", describe: "What this machine calls itself, to the mail server and in the subject" },
    when: {
      type: "string",
      choices: ["always", "failure"],
      variable: "MAIL_ON",
      describe: "Every run, which is the default, or those that were not all well",
    },
  },
  check({ to, from, url, ssl, hostname }) {
    for (const text of to) parseMailAddress(text, "--to");
    if (from !== undefined) parseMailAddress(from, "--from");
    if (url !== undefined) parseMailServer(url, { ssl, setting: "--url" });
    if (hostname !== undefined) parseHostName(hostname, "--hostname");
  },
  async open(args, context) {
    // Loaded when used: its library costs start-up time.
    const { openMail } = await import("./mail.js");
    return await openMail(args, context);
  },
});
