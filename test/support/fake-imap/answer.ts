import { type Command, tokenize, word } from "./command.js";
import { fetch, search } from "./fetch.js";
import { folderName, list, status } from "./list.js";
import { type Answer, OK, type Session, type Tagged, bad, no } from "./session.js";

const ANYWHERE = ["CAPABILITY", "NOOP", "LOGOUT", "ID", "STARTTLS", "LOGIN", "AUTHENTICATE"];

export function greeting(session: Session): Tagged {
  return { text: `OK [CAPABILITY ${capabilities(session).join(" ")}] fake-imap is ready` };
}

/** What a well-behaved server says to this command. Nothing here changes a folder. */
export function* answer(session: Session, { name, args }: Command): Answer {
  if (!session.authenticated && !ANYWHERE.includes(name)) return bad("log in first");
  switch (name) {
    case "CAPABILITY":
      yield [`* CAPABILITY ${capabilities(session).join(" ")}`];
      return OK;
    case "ID":
      yield ['* ID ("name" "fake-imap")'];
      return OK;
    case "LOGOUT":
      yield ["* BYE logging out"];
      return { ...OK, after: "close" };
    case "STARTTLS":
      if (!capabilities(session).includes("STARTTLS")) return bad("no STARTTLS here");
      return { text: "OK begin TLS now", after: "starttls" };
    case "LOGIN": {
      const [user, password] = tokenize(args);
      return login(session, word(user), word(password));
    }
    case "NAMESPACE": {
      const { prefix, delimiter } = session.server.options.namespace ?? { prefix: "", delimiter: "/" };
      yield [`* NAMESPACE (("${prefix}" ${delimiter === null ? "NIL" : `"${delimiter}"`})) NIL NIL`];
      return OK;
    }
    case "ENABLE": {
      const granted = args
        .toUpperCase()
        .split(" ")
        .filter((each) => each === "CONDSTORE" && offers(session, each));
      yield [["* ENABLED", ...granted].join(" ")];
      return OK;
    }
    case "LIST":
    case "LSUB":
      return yield* list(session, name, args);
    case "STATUS":
      return yield* status(session, args);
    case "SELECT":
    case "EXAMINE":
      return yield* select(session, name, args);
    case "CLOSE":
    case "UNSELECT":
      session.selected = undefined;
      return OK;
    case "FETCH":
    case "UID FETCH":
      return yield* fetch(session, args, name === "UID FETCH");
    case "SEARCH":
    case "UID SEARCH":
      return yield* search(session, args, name === "UID SEARCH");
    case "NOTIFY":
      return offers(session, "NOTIFY") ? OK : bad("no NOTIFY here");
    case "NOOP":
    case "CHECK":
      return OK;
    default:
      return bad("unknown command");
  }
}

/** AUTHENTICATE PLAIN (RFC 4616), with or without an initial response (RFC 4959). */
export async function authenticate(session: Session, args: string): Promise<Tagged> {
  const [mechanism = "", initial] = args.split(" ");
  if (mechanism.toUpperCase() !== "PLAIN" || !offers(session, "AUTH=PLAIN")) return no("[CANNOT] unknown mechanism");
  const response = initial ?? (await session.prompt());
  const [, user = "", password = ""] = Buffer.from(response, "base64").toString("latin1").split("\0");
  return login(session, user, password);
}

function login(session: Session, user: string, password: string): Tagged {
  const { options } = session.server;
  if (user !== (options.user ?? "alice") || password !== (options.password ?? "secret")) {
    return no("[AUTHENTICATIONFAILED] wrong user or password");
  }
  session.authenticated = true;
  return { text: `OK [CAPABILITY ${capabilities(session).join(" ")}] logged in` };
}

function* select(session: Session, command: string, args: string): Answer {
  const path = folderName(session.server.folders, word(tokenize(args)[0]));
  const folder = path === undefined ? undefined : session.server.folders.get(path);
  session.selected = undefined;
  if (!folder || folder.attributes.some((each) => /^\\noselect$/i.test(each)))
    return no("[NONEXISTENT] no such mailbox");
  session.selected = path;
  const flags = new Set(["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"]);
  for (const message of folder.messages) for (const flag of message.flags) flags.add(flag);
  yield [`* FLAGS (${[...flags].join(" ")})`];
  yield [`* ${folder.messages.length} EXISTS`];
  yield ["* 0 RECENT"];
  yield [`* OK [PERMANENTFLAGS ()] read only`];
  yield [`* OK [UIDVALIDITY ${folder.uidvalidity}] UIDs valid`];
  yield [`* OK [UIDNEXT ${folder.uidnext}] predicted next UID`];
  if (offers(session, "CONDSTORE")) {
    yield [
      folder.highestmodseq === undefined
        ? "* OK [NOMODSEQ] none"
        : `* OK [HIGHESTMODSEQ ${folder.highestmodseq}] highest`,
    ];
  }
  return { text: `OK [READ-${command === "EXAMINE" ? "ONLY" : "WRITE"}] selected` };
}

function capabilities({ server, secure, authenticated }: Session): readonly string[] {
  if (authenticated) return server.capabilities.filter((each) => !each.startsWith("AUTH=") && each !== "SASL-IR");
  const starttls = !secure && (server.options.starttls ?? true);
  return starttls ? [...server.capabilities, "STARTTLS"] : server.capabilities;
}

function offers({ server }: Session, capability: string): boolean {
  return server.capabilities.includes(capability);
}
