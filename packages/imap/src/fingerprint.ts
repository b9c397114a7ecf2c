import type { ListResponse } from "imapflow";

/** What STATUS says of a folder. Unless one of these changes, nothing did (RFC 7162, section 3.1.2.1). */
export interface FolderState {
  readonly uidValidity: bigint;
  readonly uidNext: number;
  readonly highestModseq: bigint;
  readonly messages: number;
}

/** Undefined where the server does not say all: without a HIGHESTMODSEQ a changed flag shows nowhere. */
export function fingerprintOf({ status }: Pick<ListResponse, "status">): string | undefined {
  if (!status) return undefined;
  const { uidValidity, uidNext, highestModseq, messages } = status;
  if (uidValidity === undefined || uidNext === undefined || messages === undefined || !highestModseq) return undefined;
  return `${uidValidity} ${uidNext} ${highestModseq} ${messages}`;
}

/** What a fingerprint says; undefined: it is none of ours. */
export function stateOf(fingerprint: string): FolderState | undefined {
  const [, uidValidity, uidNext, highestModseq, messages] =
    /^(\d{1,20}) (\d{1,10}) (\d{1,20}) (\d{1,10})$/.exec(fingerprint) ?? [];
  if (uidValidity === undefined || highestModseq === undefined) return undefined;
  return {
    uidValidity: BigInt(uidValidity),
    uidNext: Number(uidNext),
    highestModseq: BigInt(highestModseq),
    messages: Number(messages),
  };
}
