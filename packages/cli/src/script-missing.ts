import { BackupError } from "@backup/core";

/** For somebody who starts the container for the first time: what is missing, and both ways to run it. */
export function scriptMissing(what: string, directory: string): BackupError {
  const lines = [
    `${what}.`,
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
    "",
    "Outside of a container: backup run FILE. See backup --help",
  ];
  return new BackupError("SCRIPT_MISSING", lines.join("\n"));
}
