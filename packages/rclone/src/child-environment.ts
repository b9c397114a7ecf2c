/** What rclone(1) needs; patterns of whole names. What a remote is, its configuration says, and no variable. */
const ALLOWED =
  /^(?:PATH|HOME|USER|LOGNAME|LANG|LC_.*|TZ|TMPDIR|SSH_AUTH_SOCK|KRB5.*|LD_.*|DYLD_.*|SSL_CERT_(?:FILE|DIR)|(?:HTTPS?|NO)_PROXY|(?:https?|no)_proxy)$/;

/** An environment without the secrets of others, and without options of rclone (`RCLONE_…`) that would change what it does. */
export function childEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => ALLOWED.test(name)));
}
