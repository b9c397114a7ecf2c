/** What programs need and what they start, ssh(1) too; patterns of whole names. */
const ALLOWED =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_.*|TZ|TMPDIR|TERM|SSH_.*|DISPLAY|XAUTHORITY|WAYLAND_DISPLAY|XDG_.*|DBUS_SESSION_BUS_ADDRESS|GNUPGHOME|KRB5.*|LD_.*|DYLD_.*)$/;

/** An environment without the secrets of others: passwords and tokens come in variables of any name. */
export function childEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => ALLOWED.test(name)));
}
