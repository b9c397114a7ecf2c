/** A plan to begin with. */
export const EXAMPLE_PLAN = `# A plan: what to back up, where to, and when.
#   backup config check plan.yaml     is all well with it?
#   backup run plan.yaml              every action once
#   backup run --watch plan.yaml      each by its schedule, for ever
# An editor completes and checks it with the next line and: backup config schema > plan.schema.json
# yaml-language-server: $schema=plan.schema.json

# So many actions at once, and so many of them on one mail server. Two never write to one destination.
concurrency: 2
connections-per-host: 2

# For --watch: minute hour day month weekday, or @daily. An action may have its own.
schedule: "17 3 * * *"
time-zone: Europe/Berlin
# Begin up to so much later, so that not everybody comes at once.
jitter: 10m

# Options for every action that does not say otherwise; the same as on the command line, without the dashes.
defaults:
  exclude-folder: [Junk, Trash]
  timeout: 120
  # A snapshot for each day, and how many to keep; for actions with hist: true.
  # hist: true
  # retention: { keep-daily: 7, keep-weekly: 4, keep-monthly: 12 }

actions:
  # The password is in /backup/alice@example.org.password, where it is looked for.
  - type: imap
    user: alice@example.org
    server: mail.example.org
    destination: /backup/mail/alice

  - name: bob to the NAS
    type: imap
    user: bob@example.org
    server: mail.example.org:143
    # Another host, by ssh; the key is looked for in /backup/nas.id_ed25519.
    destination: backup@nas:mail/bob
    # A secret is never in this file: say where it is.
    srcsecret: { env: BOB_PASSWORD }
    # srcsecret: /run/secrets/bob
    # srcsecret: { command: [pass, show, mail/bob] }
    folder: [INBOX, "Archive/**"]
    schedule: "*/30 * * * *"
    keep-deleted: true

# Who is told. All of it is optional, and so is each part.
# reports:
#   mail:
#     to: you@example.org
#     url: smtp://backup@mail.example.org:587
#     password: /run/secrets/mail
#     when: failure
#   ping: https://hc-ping.com/your-check
#   metrics: /var/lib/node_exporter/backup.prom

# Programs around all actions, each a list of its words; no shell reads them. An action may have its own.
# before:
#   - [mount, /backup/mail]
# after:
#   - [umount, /backup/mail]
`;
