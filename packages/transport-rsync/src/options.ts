export { HOST_OPTIONS, type HostArguments, checkHostOptions } from "./host-arguments.js";
export { SOURCE_HOST_OPTIONS, type SourceHostArguments, hostOf } from "./source-host.js";
