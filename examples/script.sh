#!/usr/bin/env bash
# Several backups as one run. Mount it as /backup/backup, beside the passwords (/backup/alice@example.org.password …):
#
#   docker run --rm --volume /etc/backup:/backup:ro --volume /srv/backup:/data backup
#
# Without a container: backup run examples/script.sh. Either way `backup` is the command in here, an action that fails
# does not stop the next one, and at the end each is listed OK or KO. With `set -e` the first that fails is the last.

server=${SERVER:-mail.example.org}
to=${TO:-/data}
options=(--exclude-folder Spam --exclude-folder 'Trash/**')
# Certificates to trust besides the usual ones, for a server with one of its own.
if [[ -n ${TLS_CA:-} ]]; then options+=(--tls-ca "$TLS_CA"); fi

for account in alice@example.org bob@example.org; do
  backup imap "$account" "$to/$account" "$server" "${options[@]}"
done

# What belongs together may depend on each other, as in any script.
if backup imap archive@example.org "$to/archive" "$server" "${options[@]}" --keep-deleted; then
  date > "$to/archive.complete"
fi
