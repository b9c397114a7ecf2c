/**
 * What is more than one program, for sh(1). Nothing that comes from elsewhere is part of a script: it is among the
 * arguments. What a script makes it removes, however it ends.
 */

/** Exit status of a script whose program is not there. */
export const MISSING = 127;

export const HAS_PROGRAM = `command -v "$1" >/dev/null || exit ${MISSING}`;

const PRIVATE_DIRECTORY = `d=$(mktemp -d)
trap 'rm -rf -- "$d"' EXIT
trap 'exit 1' HUP INT PIPE TERM`;

/**
 * For each directory or file: NUL-terminated `y` and the path of each database that may be opened, `n` and the path of
 * one, or of a directory, that may not, `-` and the path of what is not there.
 */
export const FIND_DATABASES = `look() { if [ -r "$1" ] && [ -w "$1" ]; then printf 'y%s\\0' "$1"; else printf 'n%s\\0' "$1"; fi; }
for p do
  if [ -f "$p" ]; then look "$p"
  elif [ ! -d "$p" ]; then printf -- '-%s\\0' "$p"
  elif [ ! -r "$p" ] || [ ! -x "$p" ]; then printf 'n%s\\0' "$p"
  else for f in "$p"/*.tdb; do if [ -f "$f" ]; then look "$f"; fi; done
  fi
done`;

/** Prints a copy of a database as tdbbackup(8) makes it. That goes beside its file, so it is shown another name of it. */
export const COPY_DATABASE = `set -e
${PRIVATE_DIRECTORY}
ln -s "$1" "$d/db"
tdbbackup -s .copy "$d/db" >&2
cat "$d/db.copy"`;

/** Prints the archive that samba-tool(8) makes of a domain. The arguments are options for it. */
export const BACK_UP_DOMAIN = `set -e
command -v samba-tool >/dev/null || exit ${MISSING}
${PRIVATE_DIRECTORY}
samba-tool domain backup offline --targetdir="$d" "$@" >&2
cat "$d"/*.tar.bz2`;

/**
 * Prints what differs when something of a domain does: of its databases and of its policies. The arguments are files and
 * directories.
 */
export const FINGERPRINT_DOMAIN = `command -v sha256sum >/dev/null || exit ${MISSING}
{
find "$@" -type f '(' -name '*.[lt]db' -o -name '*.key*' -o -name '*.conf' -o -path '*/sysvol/*' ')' -exec sha256sum {} +
find "$@" -path '*/sysvol/*' -exec ls -dlcn {} +
} | LC_ALL=C sort | sha256sum`;
