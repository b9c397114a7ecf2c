import { join } from "node:path";
import { BackupError } from "@backup/core";

/** Of a script that was named, one line says enough; of the one in its usual place, `scriptMissing` says how it gets there. */
export function noScript(
  what: string,
  { file, directory }: { readonly file: string; readonly directory: string },
): BackupError {
  if (file === join(directory, "backup")) return scriptMissing(what, directory);
  return new BackupError("SCRIPT_MISSING", `${what}; name the file of a script`);
}

/** For somebody who starts the container for the first time: what is missing, and both ways to run it. */
export function scriptMissing(what: string, directory: string): BackupError {
  const lines = [
    `${what}.`,
    "",
    "Outside of a container, name one: backup run FILE. See backup --help",
    "",
    "In a container, mount a directory with the script and the passwords it needs:",
    "",
    `  docker run --rm -v /etc/backup:${directory}:ro IMAGE`,
    "",
    "where /etc/backup/backup is, for example, this script:",
    "",
    "  #!/bin/bash",
    "  backup imap alice@example.org nas:mail/alice mail.example.org",
    "  backup imap bob@example.org nas:mail/bob mail.example.org",
    "",
    "Or run one action, without a script:",
    "",
    `  docker run --rm -v /etc/backup:${directory}:ro -v /srv/mail:/mail IMAGE backup imap \\`,
    "    alice@example.org /mail/alice mail.example.org",
  ];
  return new BackupError("SCRIPT_MISSING", lines.join("\n"));
}
