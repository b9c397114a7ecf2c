/** Begins every key that BullMQ makes. */
export const PREFIX = "backup";

/** Keys of ours, beside those of BullMQ. */
export const KEYS = {
  /** Set of the hosts that have a queue. */
  hosts: "backup-fleet:hosts",
  /** Hash: of each account, by its id, its name and whose it is. */
  accounts: "backup-fleet:accounts",
  /** Sorted set of ids by the time when they became known, milliseconds. */
  known: "backup-fleet:known",
  /** Sorted set of ids by the time of their last success, milliseconds. */
  success: "backup-fleet:success",
  /** Hash of hosts of destinations: how many jobs may write there at once. */
  destinations: "backup-fleet:destinations",
} as const;

/** Name of the queue of a host; BullMQ takes no colon in one. */
export function queueName(host: string): string {
  return host.replaceAll(":", "_");
}
