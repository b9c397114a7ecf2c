import type { Output, Renderer } from "./renderer.js";
import { jsonLine } from "./text.js";

/** One event a line, as JSON. */
export function jsonRenderer(out: Output, { debug }: { readonly debug: boolean }): Renderer {
  return {
    event(event) {
      if (event.type !== "debug" || debug) out.write(jsonLine(event));
    },
    close() {},
  };
}
