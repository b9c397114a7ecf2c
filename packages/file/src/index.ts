export { type FilePluginOptions, filePlugin } from "./file-plugin.js";
export { type Entry, parseEntry } from "./manifest.js";
export { MANIFEST } from "./manifest-file.js";
