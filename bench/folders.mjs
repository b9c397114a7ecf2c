/** The 55 folders of the benchmark's account: nested, some empty, a few with names outside ASCII. */

const YEARS = Array.from({ length: 15 }, (_, index) => 2012 + index);
const LISTS = ["debian-user", "node-dev", "dovecot", "rsync", "mutt", "notmuch", "postgres", "security"];
const PROJECTS = ["Alpha", "Beta", "Gamma", "Delta"];

/** Name and share of the messages; a share of 0 is an empty folder. */
const SHARES = [
  ["INBOX", 180],
  ["Sent", 120],
  ["Drafts", 2],
  ["Trash", 20],
  ["Junk", 30],
  ["Archive", 10],
  ...YEARS.map((year) => [`Archive/${year}`, 25]),
  ["Lists", 0],
  ...LISTS.map((list) => [`Lists/${list}`, 20]),
  ["Projects", 0],
  ...PROJECTS.flatMap((project) => [
    [`Projects/${project}`, 8],
    [`Projects/${project}/Offers`, 3],
    [`Projects/${project}/Invoices`, 5],
    [`Projects/${project}/Meetings`, 2],
  ]),
  ["Kunden", 0],
  ["Kunden/Müller & Söhne", 6],
  ["Kunden/Straße 5", 4],
  ["Family", 15],
  ["Family/Photos", 10],
  ["Receipts", 20],
  ["Travel", 6],
  ["Notes", 0],
];

/**
 * Every folder with its directory in a Maildir++ and how many of the messages it holds.
 *
 * @param {number} messages of the whole account
 * @returns {{ name: string, dir: string, messages: number, epoch: number }[]}
 */
export const folders = (messages) => {
  const total = SHARES.reduce((sum, [, share]) => sum + share, 0);
  const counts = SHARES.map(([, share]) => Math.floor((messages * share) / total));
  counts[0] += messages - counts.reduce((sum, count) => sum + count, 0); // INBOX takes what rounding leaves
  return SHARES.map(([name], index) => {
    const year = Number(/\d{4}$/.exec(name)?.[0] ?? 2020);
    const dir = name === "INBOX" ? "." : `.${name.split("/").map(modifiedUtf7).join(".")}`;
    return { name, dir, messages: counts[index], epoch: Date.UTC(year, 0, 1) / 1000 };
  });
};

/**
 * A folder name as IMAP and Dovecot's Maildir++ write it (RFC 3501, section 5.1.3).
 *
 * @param {string} name
 */
const modifiedUtf7 = (name) =>
  name.replaceAll("&", "&-").replaceAll(/[^\x20-\x7e]+/g, (run) => {
    const utf16 = Buffer.from(run, "utf16le").swap16().toString("base64");
    return `&${utf16.replaceAll("=", "").replaceAll("/", ",")}-`;
  });
