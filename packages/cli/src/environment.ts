export interface EnvironmentVariable {
  readonly name: string;
  readonly text: string;
}

/** Every environment variable that a person may set; the manual page lists them in this order. */
export const ENVIRONMENT: readonly EnvironmentVariable[] = [
  {
    name: "BACKUP_DIR",
    text: "Directory with secrets, known_hosts, and the script or plan that is run without a name. Default: /backup.",
  },
  { name: "DEBUG", text: "1 prints everything that is said to and by servers, without secrets." },
  { name: "DRY_RUN", text: "1 makes every action a dry run: it says what would be done and writes nothing." },
  { name: "BACKUP_BEFORE", text: "Program that runs before the actions. If it fails, nothing is backed up." },
  {
    name: "BACKUP_AFTER",
    text: "Program that runs after the actions. It gets the result as JSON on its standard input, and in BACKUP_RESULT as ok, partial, failed or interrupted.",
  },
  { name: "MAIL_TO", text: "Who gets a mail after each run: addresses with commas between them." },
  { name: "MAIL_FROM", text: "Who it is from. Default: backup at this host." },
  {
    name: "MAIL_URL",
    text: "The mail server: smtp://[user@]host[:port], or smtps:// likewise. Default: smtp://localhost.",
  },
  { name: "MAIL_SSL", text: "1: TLS from the first byte, as smtps:// has it." },
  { name: "MAIL_HOSTNAME", text: "What this machine calls itself, to the mail server and in the subject." },
  { name: "MAIL_ON", text: "failure: only when something is wrong. Default: always." },
  { name: "MAIL_PASSWORD_FILE", text: "File with the password for the mail server, an absolute path." },
  { name: "MAIL_TLS_CA", text: "File of certificates to trust besides the system's, for the mail server." },
  {
    name: "PING_URL",
    text: "Address that is requested when a run ends well; with /start before it begins and with /fail when it does not end well, as healthchecks.io has it.",
  },
  { name: "PING_START_URL", text: "Address that is requested before a run, instead of that from PING_URL." },
  {
    name: "PING_SUCCESS_URL",
    text: "Address that is requested after a run that ended well, instead of that from PING_URL.",
  },
  {
    name: "PING_FAIL_URL",
    text: "Address that is requested after a run that did not end well, instead of that from PING_URL.",
  },
  { name: "METRICS_FILE", text: "File for the textfile collector of Prometheus' node_exporter." },
  {
    name: "BACKUP_HEALTH_FILE",
    text: "File in which backup run --watch and backup imap --watch say that they are alive, for backup health.",
  },
  { name: "BACKUP_QUEUE", text: "Where the queue of backup fleet is, as its --queue." },
  { name: "SHELL", text: "What backup completion is for, if it is not told." },
];

/** Variables by which a script's run speaks to the commands in it; nobody else sets them. */
export const INTERNAL_ENVIRONMENT = ["BACKUP_JOURNAL", "BACKUP_OUTPUT", "BACKUP_NODE"] as const;
