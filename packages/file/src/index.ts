export { filePlugin } from "./plugin.js";
export { type OpenTreeOptions, type TreeTargetArguments, openTreeMirror, openTreeTarget } from "./open-tree.js";
export { type Entry, parseEntry } from "./manifest.js";
export { MANIFEST } from "./manifest-file.js";
export type { TreeEnd } from "./tree-end.js";
export { TreeMirror, type TreeMirrorOptions } from "./tree-mirror.js";
export { type TreeOptions, checkTreeOptions } from "./tree-options.js";
