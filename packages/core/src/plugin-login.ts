import type { PluginContext } from "./plugin-context.js";
import type { Arguments, Example, PluginOptions, Positional } from "./plugin-options.js";

/** `backup login NAME …`: a person logs on once, and what is kept of it is a secret that later runs find. */
export interface LoginDescription<Args = never> {
  /** One line. */
  readonly summary: string;
  readonly positionals: readonly Positional[];
  readonly options: PluginOptions;
  readonly examples?: readonly Example[] | undefined;
  /** @throws BackupError USAGE */
  check?(args: Args): void;
  /** Ends when the person has logged on and the secret is on disk. @throws BackupError AUTH_FAILED, ABORTED */
  run(args: Args, context: LoginContext): Promise<LoggedOn>;
}

export interface LoginContext extends PluginContext {
  /** Tells the person what to do. Nothing else is printed meanwhile. */
  readonly show: (step: LoginStep) => void;
}

/** What a person has to do. */
export interface LoginStep {
  /** An address to open: with a code in any browser, else in one of this machine. */
  readonly url: string;
  /** To be typed there. */
  readonly code?: string | undefined;
  /** How long the code is good, seconds. */
  readonly expiresInS?: number | undefined;
}

export interface LoggedOn {
  /** Who. */
  readonly user: string;
  /** The secret's file. */
  readonly file: string;
}

/** The same as `definePlugin` takes it. */
export type LoginWords<W extends readonly Positional[], O extends PluginOptions> = Omit<
  LoginDescription<Arguments<W, O>>,
  "positionals" | "options"
> & { readonly positionals: W; readonly options: O };
