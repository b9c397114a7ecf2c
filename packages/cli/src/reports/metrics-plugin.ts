import { definePlugin } from "@backup/core";

/** Metrics of runs in a file, for Prometheus. */
export const metricsPlugin = definePlugin({
  kind: "notifier",
  name: "metrics",
  summary: "metrics in a file for Prometheus' textfile collector",
  short: "file",
  isPublic: true,
  options: {
    file: {
      type: "string",
      isRequired: true,
      describe: "File for the textfile collector of Prometheus' node_exporter",
    },
  },
  async open({ file = "" }, { onEvent }) {
    const { openMetrics } = await import("./metrics.js");
    return openMetrics(file, onEvent);
  },
});
