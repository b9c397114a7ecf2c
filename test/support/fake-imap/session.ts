import type { Bytes, Ending, FakeImapOptions, FaultScript, Folder } from "./model.js";

/** What all connections share. */
export interface Server {
  readonly options: FakeImapOptions;
  folders: Map<string, Folder>;
  capabilities: readonly string[];
  fault: FaultScript | undefined;
  readonly commands: string[];
  /** How often each command came. */
  readonly counts: Map<string, number>;
  /** How often each oddity has happened. */
  readonly happened: WeakMap<object, number>;
}

/** What one connection knows. */
export interface Session {
  readonly server: Server;
  readonly id: number;
  secure: boolean;
  authenticated: boolean;
  /** Name of the folder; looked up anew by every command, so that a test can take it away. */
  selected: string | undefined;
  /** Sends `+` and reads a line. */
  readonly prompt: () => Promise<string>;
}

/** A literal: the announced size is that of the bytes unless said otherwise. */
export interface Literal {
  readonly bytes: Bytes;
  readonly announce?: number;
}

/** An untagged response without its CRLF, or the end of the answer before its time. */
export type Row = readonly (string | Literal)[] | Ending;

/** The tagged response without its tag, and what happens after it. */
export interface Tagged {
  readonly text: string;
  readonly after?: "close" | "starttls";
}

/** One generator per command: untagged responses, then the tagged one. */
export type Answer = Generator<Row, Tagged>;

export const OK: Tagged = { text: "OK done" };

export function no(text: string): Tagged {
  return { text: `NO ${text}` };
}

export function bad(text: string): Tagged {
  return { text: `BAD ${text}` };
}

export function selectedFolder({ server, selected }: Session): Folder | undefined {
  return selected === undefined ? undefined : server.folders.get(selected);
}
