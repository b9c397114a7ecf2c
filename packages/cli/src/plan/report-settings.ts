import type { ReportSettings } from "../reports/reporter.js";
import type { ReportFields } from "./plan-file.js";

/** How a plan's runs are reported. */
export function reportSettings({ mail, ping, metrics }: ReportFields): ReportSettings {
  return {
    ...(mail === undefined ? {} : { mail: mailSettings(mail) }),
    ...(ping === undefined ? {} : { ping: typeof ping === "string" ? { url: ping } : ping }),
    ...(metrics === undefined ? {} : { metrics }),
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
