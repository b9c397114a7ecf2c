import type { BackupError, EventSink, PluginRegistry, Report } from "@backup/core";

/** What an action gets besides its arguments. */
export interface ActionContext {
  readonly onEvent: EventSink;
  readonly signal: AbortSignal;
  /** DEBUG=1. */
  readonly debug: boolean;
  /** Directory of secrets. */
  readonly secrets: string;
  readonly env: NodeJS.ProcessEnv;
  readonly plugins: PluginRegistry;
}

/** One thing to back up to one destination. */
export interface Action {
  /** What a person calls it; the same in every run. */
  readonly name: string;
  /** The word after `backup`: `imap`. */
  readonly type: string;
  /** As it was given. */
  readonly destination: string;
  /** The host that is read from, in lower case; so many actions at once are kind to it. */
  readonly host: string;
  /** What would keep it from running on this machine, as a missing secret; nothing is connected to. */
  readonly problems?: ((context: ActionContext) => Promise<readonly BackupError[]>) | undefined;
  /** Tells of changes at the source, see Source.changes: it is to go on for ever. Undefined: it runs once. */
  readonly changes?: ((context: ActionContext) => AsyncIterable<void>) | undefined;
  /** @throws BackupError whatever ended it */
  run(context: ActionContext): Promise<Report>;
}
