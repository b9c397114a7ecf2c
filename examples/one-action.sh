#!/usr/bin/env bash
# One account, one run, and the container is gone: for cron, or by hand. Build the image first: docker build -t backup .
#
#   examples/one-action.sh              in a container
#   examples/one-action.sh npx          the same without one, in a clone after npm ci && npm run build
#
# The password is the first line of $SECRETS/$ACCOUNT.password (chmod 600). All else by environment variables too.
set -euo pipefail

account=${ACCOUNT:-alice@example.org}
server=${SERVER:-mail.example.org}
secrets=${SECRETS:-/etc/backup}
to=${TO:-/srv/backup}

case ${1:-container} in
  container)
    mkdir -p "$to"
    # No privileges, nothing but $to to write to. Files belong to whoever runs this, so the password's file must too.
    exec docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges --tmpfs /tmp \
      --user "$(id -u):$(id -g)" --volume "$secrets:/backup:ro" --volume "$to:/data" \
      backup imap "$account" "/data/$account" "$server"
    ;;
  npx)
    cd "$(dirname "$0")/.."
    # TLS_CA: certificates to trust besides the usual ones, for a server with one of its own.
    exec npx --no -- backup imap "$account" "$to/$account" "$server" \
      --srcsecret "$secrets/$account.password" ${TLS_CA:+--tls-ca "$TLS_CA"}
    ;;
  *)
    echo "usage: $0 [container|npx]" >&2
    exit 2
    ;;
esac
