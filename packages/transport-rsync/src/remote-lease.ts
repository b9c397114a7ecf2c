import { type Lease, type LeaseFile, type LeaseTiming, takeLease } from "@backup/core";

export interface RemoteLease {
  /** For messages. */
  readonly where: string;
  readonly timing: LeaseTiming;
  /** How long giving it back may take, milliseconds; what is left of it expires by itself. */
  readonly releaseMs: number;
  /** Stops the taking of it; heartbeats go on when a run is aborted, until the lease is given back. */
  readonly signal: AbortSignal;
}

/**
 * takeLease for a file on a host that may stop to answer: no request takes longer than the lease would live, and giving
 * it back waits for no heartbeat that hangs.
 * @param file its requests are to end when the signal fires that `until` gives then
 * @throws BackupError LEASE_HELD, ABORTED
 */
export async function takeRemoteLease(
  file: (until: () => AbortSignal) => LeaseFile,
  { where, timing, releaseMs, signal }: RemoteLease,
): Promise<Lease> {
  const released = new AbortController();
  let until = (): AbortSignal => signal;
  const lease = await takeLease(
    file(() => until()),
    where,
    timing,
  );
  until = () => AbortSignal.any([released.signal, AbortSignal.timeout(timing.expiryMs)]);
  return {
    lost: lease.lost,
    fence: lease.fence,
    token: lease.token,
    async [Symbol.asyncDispose]() {
      released.abort();
      until = () => AbortSignal.timeout(releaseMs);
      await lease[Symbol.asyncDispose]();
    },
  };
}
