export { type Remote, parseRemote } from "./remote.js";
