export { run } from "./cli.js";
export { EXIT } from "./exit-code.js";
