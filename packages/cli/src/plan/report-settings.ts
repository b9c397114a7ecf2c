import type { PluginRegistry } from "@backup/core";
import { notifierArguments } from "../reports/open-notifiers.js";
import type { ReportSettings } from "../reports/reporter.js";
import type { ReportFields } from "./plan-file.js";

/** How a plan's runs are reported. */
export function reportSettings(
  { mail, ping, metrics, ...others }: ReportFields,
  plugins: PluginRegistry,
): ReportSettings {
  const notifiers = Object.entries(others).map(([name, given]) => [
    name,
    notifierArguments(name, Object(given), plugins),
  ]);
  return {
    ...(mail === undefined ? {} : { mail: mailSettings(mail) }),
    ...(ping === undefined ? {} : { ping: typeof ping === "string" ? { url: ping } : ping }),
    ...(metrics === undefined ? {} : { metrics }),
    ...(notifiers.length === 0 ? {} : { notifiers: Object.fromEntries(notifiers) }),
  };
}

function mailSettings(mail: NonNullable<ReportFields["mail"]>): ReportSettings["mail"] {
  const { to, password, "tls-ca": tlsCa, ...rest } = mail;
  const passwordFile = typeof password === "object" ? password.file : password;
  return {
    ...rest,
    to: [to].flat(),
    ...(passwordFile === undefined ? {} : { passwordFile }),
    ...(tlsCa === undefined ? {} : { tlsCa }),
  };
}
