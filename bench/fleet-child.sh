#!/bin/sh
# As `backup run PLAN --json` of an account in which nothing is to be done: it ends at once. Where the plan has the word
# `wrong` in it, as where the server refuses the login, and the file FLEET_REFUSED gets a line.
IFS= read -r plan < "$2"
case $plan in
  *wrong*)
    name=${plan#*\"user\":\"}
    name=${name%%\"*}
    printf '%s\n' "$name" >> "$FLEET_REFUSED"
    error='{"code":"AUTH_FAILED","message":"imaps://mail.example.org:993 refused the login of '$name'; check the user name and the password'\''s file"}'
    printf '{"type":"error","action":"%s",%s\n' "$name" "${error#?}"
    printf '{"type":"summary","actions":[{"name":"%s","type":"imap","outcome":"failed","status":1,"error":%s}],"outcome":"failed","status":1}\n' "$name" "$error"
    printf '[%s] KO: refused\n' "$name" >&2
    exit 1
    ;;
esac
