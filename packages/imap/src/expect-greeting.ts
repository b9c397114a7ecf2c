import type { ImapFlow } from "imapflow";

/** Code of the error that it ends a connection with. */
export const NO_GREETING = "NoGreeting";

/** OK, PREAUTH or BYE (RFC 3501, section 7.1). */
const GREETING = /^\* (?:OK|PREAUTH|BYE)\b/i;

/** What imapflow's types do not have. */
interface Internals {
  handleResponse(data: { readonly payload: Buffer }): Promise<boolean>;
  failProtocol(error: Error): void;
}

/**
 * Ends a connection whose server begins with anything but a greeting, as one of another protocol does: imapflow would
 * wait for it as for a server that is silent. To be called before the client connects.
 */
export function expectGreeting(client: ImapFlow): void {
  const internals = client as unknown as Internals;
  const handle = internals.handleResponse.bind(client);
  internals.handleResponse = async (data) => {
    internals.handleResponse = handle;
    const response = data.payload.toString("latin1", 0, 500);
    if (GREETING.test(response)) return await handle(data);
    internals.failProtocol(Object.assign(new Error("no IMAP greeting"), { code: NO_GREETING, response }));
    client.close();
    return false;
  };
}
