/** What a server's refusal of an APPEND concerns: the account is full, the folder, or one of the messages. */
export type Refused = "account" | "folder" | "message";

/** What imapflow's errors hold. */
interface Answer {
  readonly responseStatus?: unknown;
  readonly serverResponseCode?: unknown;
  readonly responseText?: unknown;
}

/** Codes of RFC 9051, section 7.1, and RFC 5530, section 3. */
const FOLDER = new Set<unknown>(["TRYCREATE", "NONEXISTENT", "READ-ONLY", "NOPERM", "EXPUNGEISSUED", "ACL"]);

/** Undefined: the server did not answer. OVERQUOTA is of RFC 5530 and RFC 9208; older servers say it in words. */
export function refusalOf(error: unknown): Refused | undefined {
  if (!(error instanceof Error)) return undefined;
  const { responseStatus, serverResponseCode: code, responseText }: Answer & Error = error;
  if (responseStatus !== "NO" && responseStatus !== "BAD") return undefined;
  const text = typeof responseText === "string" ? responseText : "";
  if (code === "OVERQUOTA" || (code === undefined && /quota|mailbox (?:is )?full/i.test(text))) return "account";
  if (FOLDER.has(code) || (code === undefined && /permission denied|read-?only/i.test(text))) return "folder";
  return "message";
}
