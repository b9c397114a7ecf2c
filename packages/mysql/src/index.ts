export { type Compression, COMPRESSIONS } from "./compression.js";
export { MysqlClients } from "./client.js";
export { type Machine, localMachine, prefixedMachine, sshMachine } from "./machine.js";
export { type MysqlSourceOptions, mysqlSource } from "./mysql-source.js";
export { MysqlTarget, type MysqlTargetOptions } from "./mysql-target.js";
export { type Access, type Flavour, type Tls, defaultTls } from "./option-file.js";
export type { Selection } from "./selection.js";
export { type MysqlServer, parseServer } from "./server.js";
export { splitWords } from "./split-words.js";
