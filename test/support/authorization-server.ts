import { createHash, randomBytes } from "node:crypto";
import { type HttpAnswer, type HttpRequest, type HttpServer, startHttpServer } from "./http-server.js";

export interface AuthorizationServerOptions {
  /** Whose mail every token is for. Default: alice. */
  readonly user?: string;
  /** Of an access token. Default 3600. */
  readonly lifetimeS?: number;
  /** Each refresh token is good for one use. */
  readonly rotates?: boolean;
  readonly clientSecret?: string;
  /** What to answer instead to this request, the so manieth of its path. */
  readonly fault?: (path: string, count: number) => HttpAnswer | "hang" | undefined;
  /** Errors of RFC 8628 that polling for a device's tokens meets, one after the other, before it gets them. */
  readonly polls?: readonly string[];
  readonly deviceExpiresInS?: number;
}

/** An authorization server (RFC 6749, RFC 8628, RFC 7662) on 127.0.0.1, for one account. */
export interface AuthorizationServer extends AsyncDisposable {
  readonly url: string;
  readonly tokenUrl: string;
  readonly deviceUrl: string;
  readonly authUrl: string;
  readonly clientId: string;
  /** The one that is good now. */
  readonly refreshToken: string;
  /** All that were given, in their order. */
  readonly accessTokens: readonly string[];
  /** Forms that were posted to an address, in their order. */
  posted(path: string): readonly URLSearchParams[];
  /** When, milliseconds. */
  timesOf(path: string): readonly number[];
  /** Access tokens so far are good no more. */
  revokeAccess(): void;
  /** The refresh token is good no more. */
  revokeLogin(): void;
  lifetimeS: number;
}

/** With every kind of character that a token may have. */
function makeToken(kind: string): string {
  return `${kind}.${randomBytes(18).toString("base64url")}+/~_-==`;
}

export async function startAuthorizationServer(options: AuthorizationServerOptions = {}): Promise<AuthorizationServer> {
  const { user = "alice", rotates = false, polls = [], fault = () => undefined } = options;
  const clientId = "backup.test.client";
  const live = new Map<string, number>();
  const accessTokens: string[] = [];
  const codes = new Map<string, { readonly challenge: string; readonly redirect: string }>();
  const counts = new Map<string, number>();
  let refreshToken = makeToken("refresh");
  let lifetimeS = options.lifetimeS ?? 3600;
  let polled = 0;

  const json = (body: object, status = 200): HttpAnswer => ({
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
    body: JSON.stringify(body),
  });
  const no = (error: string, description = `because of ${error}`): HttpAnswer =>
    json({ error, error_description: description }, 400);

  function give(withRefresh: boolean): HttpAnswer {
    const token = makeToken("access");
    accessTokens.push(token);
    live.set(token, Date.now() + lifetimeS * 1000);
    const common = { access_token: token, token_type: "Bearer", expires_in: lifetimeS };
    return json(withRefresh ? { ...common, refresh_token: refreshToken } : common);
  }

  const grants: Readonly<Record<string, (form: URLSearchParams) => HttpAnswer>> = {
    refresh_token(form) {
      // With what it got, as careless servers do.
      if (form.get("refresh_token") !== refreshToken)
        return no("invalid_grant", `Token ${form.get("refresh_token")} has been expired or revoked.`);
      if (rotates) refreshToken = makeToken("refresh");
      return give(rotates);
    },
    "urn:ietf:params:oauth:grant-type:device_code"(form) {
      if (form.get("device_code") !== "the-device-code") return no("invalid_grant");
      const error = polls[polled++];
      return error === undefined ? give(true) : no(error);
    },
    authorization_code(form) {
      const code = codes.get(form.get("code") ?? "");
      const challenge = createHash("sha256")
        .update(form.get("code_verifier") ?? "")
        .digest("base64url");
      if (code?.challenge !== challenge || code.redirect !== form.get("redirect_uri")) return no("invalid_grant");
      return give(true);
    },
  };

  const paths: Readonly<Record<string, (request: HttpRequest) => HttpAnswer>> = {
    "/token"({ body }) {
      const form = new URLSearchParams(body);
      if (form.get("client_id") !== clientId) return no("invalid_client");
      if ((form.get("client_secret") ?? undefined) !== options.clientSecret) return no("invalid_client");
      return grants[form.get("grant_type") ?? ""]?.(form) ?? no("unsupported_grant_type");
    },
    "/device"({ body }) {
      if (new URLSearchParams(body).get("client_id") !== clientId) return no("invalid_client");
      return json({
        device_code: "the-device-code",
        user_code: "WDJB-MJHT",
        verification_uri: "https://login.example.org/device",
        expires_in: options.deviceExpiresInS ?? 600,
        interval: 1,
      });
    },
    // What a browser is sent to once its user has agreed.
    "/auth"({ path }) {
      const given = new URL(path, "http://127.0.0.1").searchParams;
      const redirect = given.get("redirect_uri") ?? "";
      if (given.get("client_id") !== clientId || given.get("code_challenge_method") !== "S256") return { status: 400 };
      const code = makeToken("code");
      codes.set(code, { challenge: given.get("code_challenge") ?? "", redirect });
      const query = new URLSearchParams({ code, state: given.get("state") ?? "" });
      return { status: 302, headers: { location: `${redirect}?${query.toString()}` } };
    },
    "/introspect"({ body }) {
      const expiresAt = live.get(new URLSearchParams(body).get("token") ?? "") ?? 0;
      const active = expiresAt > Date.now();
      return json(active ? { active, username: user, exp: Math.floor(expiresAt / 1000) } : { active });
    },
  };

  const pathOf = ({ path }: HttpRequest): string => path.split("?")[0] ?? "";
  const server: HttpServer = await startHttpServer((request) => {
    const path = pathOf(request);
    const count = (counts.get(path) ?? 0) + 1;
    counts.set(path, count);
    return fault(path, count) ?? paths[path]?.(request) ?? { status: 404 };
  });
  const requestsOf = (path: string): readonly HttpRequest[] => server.requests.filter((each) => pathOf(each) === path);
  return {
    url: server.url,
    tokenUrl: `${server.url}/token`,
    deviceUrl: `${server.url}/device`,
    authUrl: `${server.url}/auth`,
    clientId,
    accessTokens,
    get refreshToken() {
      return refreshToken;
    },
    get lifetimeS() {
      return lifetimeS;
    },
    set lifetimeS(value) {
      lifetimeS = value;
    },
    posted: (path) => requestsOf(path).map(({ body }) => new URLSearchParams(body)),
    timesOf: (path) => requestsOf(path).map(({ at }) => at),
    revokeAccess: () => live.clear(),
    revokeLogin() {
      refreshToken = makeToken("refresh");
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
