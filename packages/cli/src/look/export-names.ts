import { Header, numberedName, safeFileName } from "@backup/mail";
import type { StoredMessage } from "./stored-message.js";

/** Of a digest in a name: enough to find the message in the backup by it. */
const DIGEST = 8;

/** `2024-01-31 Invoice for January k3f7qa2m.eml`: day of arrival (UTC), subject, beginning of the digest. */
export function emlName({ date, digest }: StoredMessage, bytes: Uint8Array): string {
  const day = new Date(date).toISOString().slice(0, 10);
  const subject = safeFileName(new Header(bytes).text("subject").replaceAll("/", "-"), "no subject");
  return `${day} ${subject.slice(0, 80).trimEnd()} ${digest.slice(0, DIGEST)}.eml`;
}

/** Makes names different from all that it has given, also where case does not count. */
export function distinctNames(): (name: string) => string {
  const taken = new Set<string>();
  return (name) => {
    let free = name;
    for (let number = 2; taken.has(free.toLowerCase()); number++) free = numberedName(name, number);
    taken.add(free.toLowerCase());
    return free;
  };
}
