export { ACCOUNT_OPTIONS, type AccountArguments, checkAccount } from "./account-options.js";
export { SOURCE_OPTIONS, type SourceArguments, checkSource } from "./source-options.js";
