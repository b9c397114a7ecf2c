export { type Remote, parseRemote } from "./remote.js";
export { type Identity, type IdentityQuery, findIdentity } from "./identity.js";
export type { HostOptions } from "./open-host.js";
export { type RemoteStoreOptions, openRemoteStore } from "./open-remote-store.js";
