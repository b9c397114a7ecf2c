import { hostname } from "node:os";
import { BackupError } from "@backup/core";

const LONGEST = 253;

/** A host name as EHLO takes it (RFC 5321, section 4.1.1.1). @throws BackupError USAGE */
export function parseHostName(text: string, setting: string): string {
  if (text.length > LONGEST || !/^[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?$/.test(text))
    throw new BackupError("USAGE", `${setting} takes a host name, as backup.example.org; '${text}' is none`);
  return text;
}

/** This machine's own name, of whatever it is made. */
export function ownHostName(): string {
  return (
    hostname()
      .replace(/[^A-Za-z0-9._-]/g, "-")
      .replace(/^[.-]+|[.-]+$/g, "")
      .slice(0, LONGEST) || "localhost"
  );
}
