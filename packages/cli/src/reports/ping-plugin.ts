import { definePlugin } from "@backup/core";
import { pingUrls } from "./ping-urls.js";

const ADDRESS = {
  type: "string",
  pattern: "^https?://\\S+$",
  takes: "takes an address, http://… or https://…",
} as const;

/** Requests of an address, as healthchecks.io and its like take them. */
export const pingPlugin = definePlugin({
  kind: "notifier",
  name: "ping",
  summary: "a request of an address at the start (/start), after success, and after a failure (/fail)",
  short: "url",
  options: {
    url: {
      ...ADDRESS,
      describe:
        "Address that is requested when a run ends well; with /start before it begins and with /fail when it does not end well, as healthchecks.io has it",
    },
    start: {
      ...ADDRESS,
      variable: "PING_START_URL",
      describe: "Address that is requested before a run, instead of that from url",
    },
    success: {
      ...ADDRESS,
      variable: "PING_SUCCESS_URL",
      describe: "Address that is requested after a run that ended well, instead of that from url",
    },
    fail: {
      ...ADDRESS,
      variable: "PING_FAIL_URL",
      describe: "Address that is requested after a run that did not end well, instead of that from url",
    },
  },
  check: (args) => void pingUrls(args),
  async open(args) {
    const { openPing } = await import("./ping.js");
    return openPing(args);
  },
});
