export { type RcloneAddress, formatRclone, parseRclone, readRemotePath } from "./rclone-address.js";
export { type RcloneOptions, openRcloneStore } from "./open-rclone-store.js";
