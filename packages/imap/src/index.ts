export { type ImapPluginOptions, imapPlugin } from "./plugin.js";
export { ImapSource, type ImapSourceOptions } from "./imap-source.js";
export type { Login, SessionOptions } from "./session.js";
export type { FolderFilter } from "./list-folders.js";
export type { Foreign } from "./namespaces.js";
export type { MailItem, MessageItem, SidecarItem } from "./mail-item.js";
export { type Server, formatServer, parseServer } from "./server.js";
export { type FolderName, directoriesFor, folderOf } from "./folder-names.js";
export { type MessageName, identifyMessage, messageFileName } from "./message-names.js";
