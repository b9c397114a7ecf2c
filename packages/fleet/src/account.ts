import { createHash } from "node:crypto";

/** One account that is backed up to one destination, as the queue knows it. Plain data, and no secret in it. */
export interface Account {
  /** What a person calls it. */
  readonly name: string;
  /** The word after `backup`: `imap`. */
  readonly type: string;
  /** The host that is read from, in lower case. */
  readonly host: string;
  /** Of the destination, in lower case; undefined: it is a directory of the worker. */
  readonly destinationHost?: string | undefined;
  /** The destination in the one form of it: there is one account for each. */
  readonly place: string;
  /** Whose data it is: equal for two plans that mean the same account. */
  readonly subject: string;
  /** A plan of this account alone, as docs/plan.md has it. */
  readonly plan: object;
}

/** By which an account is known in the queue: a hash of its place, 32 characters of hex. */
export function accountId({ place }: Pick<Account, "place">): string {
  return createHash("sha256").update(place).digest("hex").slice(0, 32);
}

/** What a job holds. */
export interface AccountJob {
  readonly id: string;
  readonly account: Account;
  /** Runs that ended partly, one after the other. */
  readonly partly?: number;
}

/** Whether that is what a job should hold: whatever else a queue has is not run. */
export function isAccountJob(value: unknown): value is AccountJob {
  if (!isMapping(value) || typeof value["id"] !== "string" || !isMapping(value["account"])) return false;
  const { name, type, host, place, subject, plan, destinationHost } = value["account"];
  const texts = [name, type, host, place, subject];
  if (!texts.every((text) => typeof text === "string") || !isMapping(plan)) return false;
  return destinationHost === undefined || typeof destinationHost === "string";
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
