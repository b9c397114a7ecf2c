import { tokenize, word, words } from "./command.js";
import { GARBAGE, type Item, messageRow, parseItem } from "./fetch-row.js";
import type { Folder, Message, Oddity } from "./model.js";
import { sequenceSet } from "./sequence-set.js";
import { type Answer, OK, type Session, bad, selectedFolder } from "./session.js";

/** FETCH and UID FETCH (RFC 3501 section 6.4.5, CHANGEDSINCE of RFC 7162), with what goes wrong with each message. */
export function* fetch(session: Session, args: string, uid: boolean): Answer {
  const folder = selectedFolder(session);
  if (!folder) return bad("no mailbox selected");
  const [set, query, modifiers] = tokenize(args);
  const asked = askedMessages(folder, word(set), uid);
  const items = words(query).map(parseItem);
  if (!asked) return bad("invalid sequence set");
  if (items.length === 0 || !items.every((item) => item !== undefined)) return bad("unknown FETCH item");
  if (uid && !items.some(({ name }) => name === "UID")) items.unshift({ name: "UID" });
  const changedSince = /^CHANGEDSINCE (\d+)/i.exec(words(modifiers).join(" "))?.[1];
  if (modifiers !== undefined && !(changedSince && session.server.capabilities.includes("CONDSTORE"))) {
    return bad("unknown FETCH modifier");
  }

  const kind = items.some(({ section }) => section !== undefined) ? "body" : "listing";
  for (const { sequence, message } of asked) {
    if (changedSince && BigInt(message.modseq ?? 1) <= BigInt(changedSince)) continue;
    yield* rowsOf({ sequence, message, items, odd: happening(session, message, kind) });
  }
  return OK;
}

/** SEARCH and UID SEARCH for ALL, a sequence set, or UID and a set. */
export function* search(session: Session, args: string, uid: boolean): Answer {
  const folder = selectedFolder(session);
  if (!folder) return bad("no mailbox selected");
  const [key = "", set = ""] = words(tokenize(args));
  const byUid = key.toUpperCase() === "UID";
  const found = askedMessages(folder, key.toUpperCase() === "ALL" ? "1:*" : byUid ? set : key, byUid);
  if (!found) return bad("only ALL, UID and sets here");
  yield [["* SEARCH", ...found.map(({ sequence, message }) => (uid ? message.uid : sequence))].join(" ")];
  return OK;
}

function askedMessages(folder: Folder, set: string, uid: boolean) {
  const all = folder.messages.map((message, index) => ({ message, sequence: index + 1 }));
  const number = ({ message, sequence }: (typeof all)[number]) => (uid ? message.uid : sequence);
  const wanted = sequenceSet(
    set,
    all.reduce((max, each) => Math.max(max, number(each)), 0),
  );
  return wanted && all.filter((each) => wanted(number(each)));
}

function happening({ server }: Session, message: Message, kind: "body" | "listing"): Oddity[] {
  return (message.odd ?? []).filter((oddity) => {
    const { on = "body", times = Infinity } = oddity;
    const before = server.happened.get(oddity) ?? 0;
    if ((on !== "any" && on !== kind) || before >= times) return false;
    server.happened.set(oddity, before + 1);
    return true;
  });
}

interface RowsInput {
  readonly sequence: number;
  readonly message: Message;
  readonly items: readonly Item[];
  readonly odd: readonly Oddity[];
}

function* rowsOf({ sequence, message, items, odd }: RowsInput) {
  const again: Message[] = [];
  let announce: ((sent: number) => number) | undefined;
  let [omit, garbage, nil, whole] = [false, false, false, false];
  for (const oddity of odd) {
    if (oddity.type === "omit") omit = true;
    else if (oddity.type === "garbage") garbage = true;
    else if (oddity.type === "nil") nil = true;
    else if (oddity.type === "whole") whole = true;
    else if (oddity.type === "twice") again.push({ ...message, bytes: oddity.bytes ?? message.bytes });
    else if (oddity.type === "announce") {
      announce = (sent) => ("size" in oddity ? oddity.size : Math.max(0, sent + oddity.more));
    } else if (oddity.type === "unasked") {
      const stranger = { ...message, uid: oddity.uid, bytes: oddity.bytes ?? message.bytes };
      yield messageRow(sequence, stranger, items);
    } else yield oddity;
  }
  if (garbage) yield [GARBAGE];
  else if (!omit) yield messageRow(sequence, message, items, { nil, whole, announce });
  for (const copy of again) yield messageRow(sequence, copy, items);
}
