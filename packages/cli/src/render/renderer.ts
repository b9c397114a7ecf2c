import type { BackupEvent } from "@backup/core";

/** Shows a run to a person or to a program. */
export interface Renderer {
  event(event: BackupEvent): void;
  /** Before anything else is written, and at the end. */
  close(): void;
}

export interface RenderOptions {
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly debug: boolean;
}

/** Where text goes; `write` adds no line end. */
export interface Output {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}
