export { type FilePluginOptions, type FileTargetOptions, filePlugin, openFileTarget } from "./file-plugin.js";
export { type Entry, parseEntry } from "./manifest.js";
export { MANIFEST } from "./manifest-file.js";
