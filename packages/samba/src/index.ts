export { sambaPlugin } from "./plugin.js";
