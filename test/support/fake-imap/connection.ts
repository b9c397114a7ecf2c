import type { Socket } from "node:net";
import { answer, authenticate, greeting } from "./answer.js";
import { type Command, readCommand, tokenize, word } from "./command.js";
import { GARBAGE } from "./fetch-row.js";
import { folderName } from "./list.js";
import type { Ending, Fault } from "./model.js";
import { type Row, type Server, type Session, type Tagged } from "./session.js";
import { Wire, WireClosed } from "./wire.js";

const CHUNK_BYTES = 64 * 1024;

interface ConnectionInput {
  readonly socket: Socket;
  readonly server: Server;
  /** From 1. */
  readonly id: number;
  readonly secure: boolean;
  readonly startTls: (socket: Socket) => Socket;
}

/** Serves one connection to its end, one command after the other. */
export async function serve({ socket, server, id, secure, startTls }: ConnectionInput): Promise<void> {
  const wire = new Wire(socket);
  const prompt = async () => {
    await wire.write("+ \r\n");
    await wire.flush();
    return await wire.line();
  };
  const session: Session = {
    server,
    id,
    secure,
    authenticated: false,
    selected: undefined,
    prompt,
  };
  try {
    await respond(wire, session, { tag: "*", name: "GREETING", args: "" });
    for (;;) {
      const command = await readCommand(wire);
      server.commands.push(`${command.name} ${command.args}`.trimEnd());
      const { after } = await respond(wire, session, command);
      if (after === "close") await wire.close();
      if (after === "starttls") {
        wire.upgrade(startTls);
        session.secure = true;
      }
    }
  } catch (error) {
    wire.destroy();
    if (!(error instanceof WireClosed)) throw error;
  }
}

async function respond(wire: Wire, session: Session, command: Command): Promise<Tagged> {
  const fault = await faultOf(session, command, wire);
  const ending = fault && isEnding(fault) ? fault : undefined;
  const garbage = fault?.type === "garbage-row" ? (fault.row ?? 1) : undefined;
  const budget = { bytes: fault?.type === "cut-in-literal" ? fault.afterBytes : Infinity };
  if (fault?.type === "untagged") for (const line of fault.lines) await wire.write(`${line}\r\n`);

  const rows = rowsFor(session, command);
  for (let index = 0; ; index++) {
    if (ending && index >= (ending.rows ?? 0)) return await end(wire, command.tag, ending);
    const next = await rows.next();
    if (next.done)
      return ending ? await end(wire, command.tag, ending) : await sendTagged(wire, command.tag, next.value);
    if ("type" in next.value) return await end(wire, command.tag, next.value);
    await sendRow(wire, index === garbage ? [GARBAGE] : next.value, budget);
  }
}

async function* rowsFor(session: Session, command: Command): AsyncGenerator<Row, Tagged> {
  if (command.name === "GREETING") return greeting(session);
  if (command.name === "AUTHENTICATE") return await authenticate(session, command.args);
  return yield* answer(session, command);
}

async function faultOf(session: Session, { tag, name, args }: Command, wire: Wire): Promise<Fault | undefined> {
  const { server, id, selected } = session;
  const count = (server.counts.get(name) ?? 0) + 1;
  server.counts.set(name, count);
  const named = /^(SELECT|EXAMINE|STATUS)$/.test(name) ? word(tokenize(args)[0]) : undefined;
  const folder = named === undefined ? selected : (folderName(server.folders, named) ?? named);
  const upcoming = (): Promise<string> => wire.upcoming();
  return await server.fault?.({ command: name, tag, args, folder, connection: id, count, upcoming });
}

async function end(wire: Wire, tag: string, ending: Ending): Promise<Tagged> {
  if (ending.type === "cut") return await wire.cut();
  if (ending.type === "stall") return await wire.stall();
  if (ending.type !== "bye")
    return await sendTagged(wire, tag, { text: `${ending.type.toUpperCase()} ${ending.text}` });
  await wire.write(`* BYE ${ending.text}\r\n`);
  return await wire.close();
}

async function sendTagged(wire: Wire, tag: string, tagged: Tagged): Promise<Tagged> {
  await wire.write(`${tag} ${tagged.text}\r\n`);
  await wire.flush();
  return tagged;
}

/** `budget`: how many bytes of literals may go before the connection is cut. */
async function sendRow(wire: Wire, row: Exclude<Row, Ending>, budget: { bytes: number }): Promise<void> {
  for (const part of row) {
    if (typeof part === "string") {
      await wire.write(part);
      continue;
    }
    await wire.write(`{${part.announce ?? part.bytes.length}}\r\n`);
    const bytes = Math.min(part.bytes.length, budget.bytes);
    for (let from = 0; from < bytes; from += CHUNK_BYTES) {
      await wire.write(part.bytes.subarray(from, Math.min(from + CHUNK_BYTES, bytes)));
    }
    budget.bytes -= bytes;
    if (budget.bytes === 0) await wire.cut();
  }
  await wire.write("\r\n");
}

function isEnding(fault: Fault): fault is Extract<Fault, Ending> {
  return /^(cut|bye|no|bad|stall)$/.test(fault.type);
}
