import type { CommandContext } from "../commands/subcommand.js";
import { jsonRenderer } from "./json.js";
import { plainRenderer } from "./plain.js";
import type { Renderer } from "./renderer.js";

/** Shows what a command does on this process's output: to a program, or to a person. */
export function rendererFor(context: Pick<CommandContext, "json" | "quiet" | "verbose" | "debug">): Renderer {
  return context.json ? jsonRenderer(process.stdout, context) : plainRenderer(process.stdout, process.stderr, context);
}
