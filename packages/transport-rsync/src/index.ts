export { sshStorePlugin } from "./plugin.js";
export { type Remote, parseRemote } from "./remote.js";
export { type Identity, type IdentityQuery, findIdentity } from "./identity.js";
export type { HostOptions } from "./host-options.js";
export { type RemoteStoreOptions, openRemoteStore } from "./open-remote-store.js";
export type { FileAbove } from "./file-above.js";
export { type RemoteDirectory, type RemoteSource, openRemoteDirectory } from "./open-remote-directory.js";
export { type RsyncCopied, type RsyncCopy, rsyncCopy } from "./rsync-copy.js";
export { rsyncVersion } from "./rsync-process.js";
export type { ConnectedBy } from "./rsync-there.js";
export { type EntriesQuery, type RemoteEntry, remoteDigests, remoteEntries } from "./remote-entries.js";
export { type Position, remotePosition } from "./remote-position.js";
export { syncReach } from "./remote-sync.js";
export { type RetryOptions, retryTransient } from "./rsync-retry.js";
export { unescapeName } from "./rsync-listing.js";
export {
  type RemoteProgramOptions,
  type RemotePrograms,
  type RemoteProgramsOptions,
  openRemotePrograms,
} from "./remote-programs.js";
