import { type PluginRegistry, isBackupError } from "@backup/core";
import { parseHostName } from "../reports/host-name.js";
import { parseMailAddress } from "../reports/mail-address.js";
import { parseMailServer } from "../reports/mail-server.js";
import { notifierArguments } from "../reports/open-notifiers.js";
import { pingUrls } from "../reports/ping-urls.js";
import type { Path } from "./node-offset.js";
import type { ReportFields } from "./plan-file.js";
import type { Problem } from "./problem.js";
import type { PlanSource } from "./source.js";

const PING_NAMES = { url: "url", start: "start", success: "success", fail: "fail" };

/** Addresses, servers and hosts that the schema lets pass and that are none. */
export function reportProblems(
  source: PlanSource,
  { mail, ping, metrics: _metrics, ...others }: ReportFields,
  plugins: PluginRegistry,
): readonly Problem[] {
  const check = (path: Path, parse: () => unknown): readonly Problem[] => {
    try {
      parse();
      return [];
    } catch (error) {
      if (!isBackupError(error, "USAGE")) throw error;
      // Said of the variables, which are not what is wrong here.
      const text = error.message.replace("MAIL_SSL", "ssl");
      return [{ position: source.position(["reports", ...path], "value"), text }];
    }
  };
  const { to = [], from, url, ssl, hostname } = mail ?? {};
  const addresses = typeof to === "string" ? [["mail", "to"] as const] : to.map((_, at) => ["mail", "to", at] as const);
  const pings = Object.entries(typeof ping === "string" ? { url: ping } : (ping ?? {}));
  return [
    ...addresses.flatMap((path, at) => check(path, () => parseMailAddress([to].flat()[at] ?? "", "to"))),
    ...(from === undefined ? [] : check(["mail", "from"], () => parseMailAddress(from, "from"))),
    ...(url === undefined ? [] : check(["mail", "url"], () => parseMailServer(url, { ssl, setting: "url" }))),
    ...(hostname === undefined ? [] : check(["mail", "hostname"], () => parseHostName(hostname, "hostname"))),
    ...pings.flatMap(([key, address]) => {
      const path = typeof ping === "string" ? ["ping"] : ["ping", key];
      return check(path, () => pingUrls({ [key]: address }, PING_NAMES));
    }),
    ...plugins.notifiers
      .filter(({ name }) => Object.hasOwn(others, name))
      .flatMap((plugin) =>
        check([plugin.name], () =>
          plugin.check?.(notifierArguments(plugin.name, Object(Object(others)[plugin.name]), plugins) as never),
        ),
      ),
  ];
}
