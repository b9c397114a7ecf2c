import type { ImapFlow } from "imapflow";
import type { Credentials } from "./login.js";
import { sendAtOnce } from "./pipeline.js";

/** What imapflow's types do not have. */
interface Internals {
  readonly state: number;
  readonly states: { readonly NOT_AUTHENTICATED: number };
  skipLsub: boolean;
  run(command: string, ...args: readonly unknown[]): Promise<unknown>;
  exec(command: string, attributes: readonly Attribute[], options?: object): Promise<unknown>;
}

interface Attribute {
  readonly type: string;
  readonly value: string;
  /** Not to be logged. */
  readonly sensitive?: boolean;
}

/** Enough of an answer to ID for imapflow not to ask a second time. */
const NOT_WAITED_FOR = { name: "", version: "" };

/**
 * Spares round trips of those that imapflow takes to begin a session, four of seven with most servers. ID (RFC 2971) is
 * sent once, when we are logged on, which some servers insist on; its answer nobody waits for. The password goes with
 * AUTHENTICATE where the server takes it there (SASL-IR, RFC 4959). Which folders are subscribed to is not asked. Before
 * it connects, and after `pipelineCommands`.
 */
export function beginQuickly(client: ImapFlow, credentials: Credentials): void {
  const internals = client as unknown as Internals;
  const run = internals.run.bind(client);
  const exec = internals.exec.bind(client);
  internals.skipLsub = true;
  internals.run = async (command, ...args) => {
    if (command === "NAMESPACE") return await sendAtOnce(client, () => run(command, ...args));
    if (command !== "ID") return await run(command, ...args);
    if (internals.state === internals.states.NOT_AUTHENTICATED) return false;
    // What is wrong with the connection, the next command says.
    sendAtOnce(client, () => run(command, ...args)).catch(() => {});
    return NOT_WAITED_FOR;
  };
  internals.exec = async (command, attributes, options) =>
    await exec(command, withPassword(command, attributes, { client, credentials }), options);
}

function withPassword(
  command: string,
  attributes: readonly Attribute[],
  { client, credentials }: { readonly client: ImapFlow; readonly credentials: Credentials },
): readonly Attribute[] {
  const isPlain = command === "AUTHENTICATE" && attributes.length === 1 && attributes[0]?.value === "PLAIN";
  if (!isPlain || !("pass" in credentials) || !client.capabilities.has("SASL-IR")) return attributes;
  const response = Buffer.from(`\0${credentials.user}\0${credentials.pass}`).toString("base64");
  return [...attributes, { type: "ATOM", value: response, sensitive: true }];
}
