import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { BackupError, Secret, throwIfAborted } from "@backup/core";
import { type Tokens, refusedBy, tokensFrom } from "./oauth2-answers.js";
import { askEndpoint } from "./oauth2-endpoint.js";
import type { OAuth2Client } from "./oauth2-file.js";

export interface BrowserLoginOptions {
  readonly client: OAuth2Client;
  readonly authUrl: URL;
  /** What the server is asked besides; see OAuth2Provider. */
  readonly authParameters?: Readonly<Record<string, string>> | undefined;
  /** Gets the address that a person opens in a browser of this machine. */
  readonly show: (url: string) => void;
  readonly signal: AbortSignal;
}

/** So long a person may take, milliseconds. */
const PATIENCE_MS = 15 * 60_000;

/**
 * Logs a person on in a browser of this machine, which is sent back to an address of 127.0.0.1 (RFC 8252, section 7.3),
 * with a proof that it was this program that asked (PKCE, RFC 7636).
 * @throws BackupError AUTH_FAILED, TIMEOUT, ABORTED, and those of askEndpoint
 */
export async function browserLogin(options: BrowserLoginOptions): Promise<Tokens> {
  const { client, authUrl, authParameters, show, signal } = options;
  throwIfAborted(signal);
  // Here, because every run would load it.
  const { createServer } = await import("node:http");
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  try {
    const redirect = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const state = randomBytes(24).toString("base64url");
    const verifier = randomBytes(32).toString("base64url");
    const url = new URL(authUrl);
    const parameters = {
      ...authParameters,
      response_type: "code",
      client_id: client.id,
      redirect_uri: redirect,
      ...(client.scope === undefined ? {} : { scope: client.scope }),
      state,
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    show(url.href);
    const returned = await answerTo(server, state, signal);
    return await exchange(returned, { client, redirect, verifier, signal });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** The parameters that the browser comes back with; who does not know the state is sent away. */
async function answerTo(server: Server, state: string, signal: AbortSignal): Promise<URLSearchParams> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const either = AbortSignal.any([signal, patience]);
  return await new Promise<URLSearchParams>((fulfil, reject) => {
    either.addEventListener("abort", () => reject(new Error("given up")), { once: true });
    server.on("request", ({ url = "/" }, response) => {
      const { searchParams } = new URL(url, "http://127.0.0.1");
      const isOurs = searchParams.get("state") === state;
      const text = isOurs ? "Done. Close this window, and see what backup says." : "This is not an address to open.";
      response.writeHead(isOurs ? 200 : 404, { "content-type": "text/plain; charset=utf-8", connection: "close" });
      // Not before the browser has it, or is gone: the server is closed next.
      if (isOurs) response.once("close", () => fulfil(searchParams));
      response.end(`${text}\n`);
    });
  }).catch((error: unknown) => {
    throwIfAborted(signal);
    throw new BackupError("TIMEOUT", "nobody has logged on within 15 minutes; start the login again", { cause: error });
  });
}

interface Exchange {
  readonly client: OAuth2Client;
  readonly redirect: string;
  readonly verifier: string;
  readonly signal: AbortSignal;
}

/** RFC 6749, section 4.1.3. */
async function exchange(returned: URLSearchParams, { client, redirect, verifier, signal }: Exchange): Promise<Tokens> {
  const code = returned.get("code");
  const fields = {
    grant_type: "authorization_code",
    code: code ?? undefined,
    redirect_uri: redirect,
    code_verifier: verifier,
    client_id: client.id,
    client_secret: client.secret?.reveal(),
  };
  const answer =
    code === null
      ? {
          ok: false as const,
          error: returned.get("error") ?? "no code",
          description: returned.get("error_description") ?? "",
        }
      : await askEndpoint(client.tokenUrl, fields, signal);
  if (answer.ok) return tokensFrom(answer.fields, client);
  const secrets = [new Secret(code ?? verifier), ...(client.secret ? [client.secret] : [])];
  throw refusedBy(answer, { client, invalidGrant: "the code was not accepted%s; start the login again", secrets });
}
