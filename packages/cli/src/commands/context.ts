import type { Renderer } from "../render/renderer.js";

/** What every command gets besides its arguments. */
export interface CommandContext {
  readonly renderer: Renderer;
  readonly signal: AbortSignal;
  /** DEBUG=1. */
  readonly debug: boolean;
  /** Directory of secrets. */
  readonly secrets: string;
  readonly env: NodeJS.ProcessEnv;
}
