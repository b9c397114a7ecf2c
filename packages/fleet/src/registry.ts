import { BackupError } from "@backup/core";
import type { Redis } from "ioredis";
import { type Account, accountId } from "./account.js";
import { KEYS } from "./keys.js";

/** What is known of an account without its job. */
export interface Known {
  readonly name: string;
  readonly type: string;
  readonly host: string;
  readonly place: string;
  readonly subject: string;
}

/** So many in one command. */
const PORTION = 1000;

/** An account whose destination is another one's already. */
export interface Conflict {
  readonly account: Account;
  readonly other: Known;
}

export function conflictText({ account, other }: Conflict): string {
  return `${account.name}: its destination ${account.place} is that of ${other.name}, of another plan; give each its own, or backup fleet forget '${other.name}' first`;
}

/** Accounts that would write where another one does: of two plans, say. */
export async function findConflicts(redis: Redis, accounts: readonly Account[]): Promise<readonly Conflict[]> {
  const found: Conflict[] = [];
  for (const portion of portions(accounts)) {
    const texts = await redis.hmget(KEYS.accounts, ...portion.map(accountId));
    for (const [index, text] of texts.entries()) {
      const [account, other] = [portion[index], text === null ? undefined : parseKnown(text)];
      if (account && other && other.subject !== account.subject) found.push({ account, other });
    }
  }
  return found;
}

/** Writes them down, and the hosts that they are read from. */
export async function register(redis: Redis, accounts: readonly Account[], now: number): Promise<void> {
  for (const portion of portions(accounts)) {
    const pipeline = redis.pipeline();
    pipeline.sadd(KEYS.hosts, ...new Set(portion.map(({ host }) => host)));
    pipeline.hset(
      KEYS.accounts,
      Object.fromEntries(portion.map((account) => [accountId(account), knownText(account)])),
    );
    pipeline.zadd(KEYS.known, "NX", ...portion.flatMap((account) => [now, accountId(account)]));
    await allOf(pipeline.exec());
  }
}

/** All of them, by their ids. */
export async function readRegistry(redis: Redis): Promise<ReadonlyMap<string, Known>> {
  const found = new Map<string, Known>();
  let cursor = "0";
  do {
    const [next, entries] = await redis.hscan(KEYS.accounts, cursor, "COUNT", PORTION);
    for (let index = 0; index < entries.length; index += 2)
      found.set(entries[index] ?? "", parseKnown(entries[index + 1] ?? ""));
    cursor = next;
  } while (cursor !== "0");
  return found;
}

export function* portions<T>(list: readonly T[], size = PORTION): Generator<readonly T[]> {
  for (let start = 0; start < list.length; start += size) yield list.slice(start, start + size);
}

/** The results of a pipeline. @throws the first of its errors */
export async function allOf(
  results: Promise<readonly (readonly [error: Error | null, result: unknown])[] | null>,
): Promise<readonly unknown[]> {
  return ((await results) ?? []).map(([error, result]) => {
    if (error) throw error;
    return result;
  });
}

function knownText({ name, type, host, place, subject }: Account): string {
  const known: Known = { name, type, host, place, subject };
  return JSON.stringify(known);
}

function parseKnown(text: string): Known {
  const value: unknown = JSON.parse(text);
  const { name, type, host, place, subject } = Object(value) as Partial<Record<keyof Known, unknown>>;
  const texts = { name, type, host, place, subject };
  if (Object.values(texts).some((part) => typeof part !== "string"))
    throw new BackupError(
      "PROTOCOL",
      `the queue's ${KEYS.accounts} holds something that is no account; was it written by another program?`,
    );
  return texts as Known;
}
