/** Where a provider answers, and what it must be asked for to get at mail by IMAP. */
export interface OAuth2Provider {
  readonly tokenUrl: string;
  readonly scope: string;
  /** Of the login with a code that a person types on any device (RFC 8628). */
  readonly deviceUrl?: string;
  /** Of the login in a browser on this machine (RFC 8252). */
  readonly authUrl?: string;
  /** What that one needs besides. */
  readonly authParameters?: Readonly<Record<string, string>>;
}

/**
 * Google does not give the scope of mail to devices
 * (https://developers.google.com/identity/protocols/oauth2/limited-input-device#allowedscopes), so that it takes a
 * browser; and it gives a refresh token only to who asks for offline access and for consent. Microsoft's `common` is for
 * applications of many tenants; one of a single tenant has addresses of its own.
 */
export const OAUTH2_PROVIDERS = {
  google: {
    tokenUrl: "https://oauth2.googleapis.com/token",
    authUrl: "https://accounts.google.com/o/oauth2/v2/auth",
    authParameters: { access_type: "offline", prompt: "consent" },
    scope: "https://mail.google.com/",
  },
  microsoft: {
    tokenUrl: "https://login.microsoftonline.com/common/oauth2/v2.0/token",
    deviceUrl: "https://login.microsoftonline.com/common/oauth2/v2.0/devicecode",
    scope: "https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
  },
} as const satisfies Readonly<Record<string, OAuth2Provider>>;

/** By its name, if there is one of that name. */
export function providerNamed(name: string): OAuth2Provider | undefined {
  return Object.hasOwn(OAUTH2_PROVIDERS, name) ? OAUTH2_PROVIDERS[name as keyof typeof OAUTH2_PROVIDERS] : undefined;
}
