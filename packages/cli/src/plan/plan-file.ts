import type { RetentionFields } from "../retention-options.js";

/** What a plan file holds, once the schema has been satisfied. */
export interface PlanFile extends ScheduleFields, HookFields {
  readonly actions: readonly ActionFields[];
  readonly defaults?: (OptionFields & RetentionField & HookFields) | undefined;
  readonly plugins?: readonly string[];
  readonly concurrency?: number;
  readonly "connections-per-host"?: number;
  readonly reports?: ReportFields;
}

/** Options by their names on the command line. */
export type OptionFields = Readonly<Record<string, unknown>>;

export interface ActionFields extends OptionFields, ScheduleFields, RetentionField, HookFields {
  readonly type: string;
}

export interface RetentionField {
  readonly retention?: RetentionFields;
}

export interface ScheduleFields {
  readonly schedule?: string;
  readonly "time-zone"?: string;
  readonly jitter?: string;
}

export interface HookFields {
  readonly before?: readonly CommandField[];
  readonly after?: readonly CommandField[];
}

export type CommandField = string | readonly [string, ...string[]];

/** Where a secret is. */
export type SecretField =
  | string
  | { readonly file: string }
  | { readonly env: string }
  | { readonly command: CommandField };

/** By the names of notifiers. */
export type ReportFields = Readonly<Record<string, unknown>>;
