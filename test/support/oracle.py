"""Reads a whole IMAP account with nothing but Python's standard library and prints it as JSON lines.

What the tests compare a backup with: it shares no code with it, nor a library. Reads {host, port, caFile, user,
password} as JSON from standard input, opens every folder read-only, and prints for each folder one line
{"folder": ...} followed by one line {"message": ...} for each message. Flags are without \\Recent, which is the
session's and not the message's.
"""

import base64
import calendar
import hashlib
import imaplib
import json
import re
import ssl
import sys

CHUNK = 200
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
LIST_LINE = re.compile(rb'\((?P<flags>[^)]*)\) (?P<delimiter>NIL|"(?:\\.|[^"])*") (?P<name>.*)', re.DOTALL)
DATE = re.compile(r"([ \d]\d)-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([-+])(\d\d)(\d\d)")

# A line of 20,000 UIDs is no attack here.
imaplib._MAXLINE = 100_000_000


def main():
    account = json.load(sys.stdin)
    tls = ssl.create_default_context(cafile=account["caFile"])
    # Python 3.13 also asks for key identifiers, which a throwaway certificate need not have.
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    imap = imaplib.IMAP4_SSL(account["host"], account["port"], ssl_context=tls)
    # Names are bytes to us: Latin-1 carries each byte unchanged.
    imap._encoding = "latin-1"
    credentials = f"\0{account['user']}\0{account['password']}".encode()
    check(imap.authenticate("PLAIN", lambda _: credentials))
    for flags, delimiter, raw in folders(imap):
        if not {"\\noselect", "\\nonexistent"} & {flag.lower() for flag in flags}:
            read_folder(imap, delimiter, raw)
    imap.logout()


def folders(imap):
    for line in check(imap.list()):
        if line is None:
            continue
        # A name that came as a literal is the second part.
        literal = line[1] if isinstance(line, tuple) else None
        match = LIST_LINE.match(line[0] if isinstance(line, tuple) else line)
        if match is None:
            # The empty line that imaplib keeps after a literal.
            assert not line.strip(), line
            continue
        delimiter = None if match["delimiter"] == b"NIL" else unquote(match["delimiter"])
        yield match["flags"].decode().split(), delimiter, unquote(match["name"]) if literal is None else literal.decode("latin-1")


def read_folder(imap, delimiter, raw):
    check(imap.select(quote(raw), readonly=True))
    uidvalidity = int(imap.response("UIDVALIDITY")[1][0])
    show({"folder": {"raw": raw, "name": decode_utf7(raw), "delimiter": delimiter, "uidvalidity": uidvalidity}})
    uids = [int(uid) for part in check(imap.uid("SEARCH", "ALL")) for uid in (part or b"").split()]
    for start in range(0, len(uids), CHUNK):
        asked = uids[start : start + CHUNK]
        got = set()
        rows = check(imap.uid("FETCH", ",".join(map(str, asked)), "(UID FLAGS INTERNALDATE BODY.PEEK[])"))
        for attributes, body in messages(rows):
            message = read_message(attributes, body)
            got.add(message["uid"])
            show({"message": message})
        assert got == set(asked), f"{raw}: asked for {asked}, got {sorted(got)}"


def messages(rows):
    """Joins what imaplib splits: (text before the literal, literal), text after it."""
    before = body = None
    for row in rows:
        if isinstance(row, tuple):
            before, body = row
        elif body is not None:
            yield (before + b" " + row).decode("latin-1"), body
            before = body = None
        # Otherwise an update of flags that the server sent by itself.


def read_message(attributes, body):
    flags = re.search(r"FLAGS \(([^)]*)\)", attributes)[1].split()
    return {
        "uid": int(re.search(r"\bUID (\d+)", attributes)[1]),
        "sha256": hashlib.sha256(body).hexdigest(),
        "size": len(body),
        "flags": sorted(flag for flag in flags if flag.lower() != "\\recent"),
        "date": epoch(re.search(r'INTERNALDATE "([^"]*)"', attributes)[1]),
    }


def epoch(text):
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = DATE.match(text).groups()
    local = (int(year), MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))
    offset = int(zone_hours) * 3600 + int(zone_minutes) * 60
    return calendar.timegm(local) - (offset if sign == "+" else -offset)


def decode_utf7(raw):
    """Modified UTF-7, RFC 3501 section 5.1.3."""

    def word(match):
        text = match[1].replace(",", "/")
        return base64.b64decode(text + "=" * (-len(text) % 4)).decode("utf-16-be") if text else "&"

    return re.sub(r"&([^-]*)-", word, raw)


def quote(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text):
    text = text.decode("latin-1")
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


def check(answer):
    status, data = answer
    if status != "OK":
        raise SystemExit(f"{status}: {data}")
    return data


def show(value):
    print(json.dumps(value))


main()
