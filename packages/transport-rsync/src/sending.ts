export { type Opened, PendingStore } from "./pending-store.js";
export { type RemoteLease, takeRemoteLease } from "./remote-lease.js";
export { type RemotePutOptions, remotePut } from "./remote-put.js";
export { type RetryOptions, retryTransient } from "./rsync-retry.js";
export type { Outgoing, Sender } from "./sender.js";
export { Spool, spoolError } from "./spool.js";
