import { type SecureContext, createSecureContext } from "node:tls";
import { defaultCertificates } from "@backup/core";

/**
 * What connections are encrypted with and whom they trust, made when it is first asked for: Node takes longer to read a
 * hundred certificates than for a handshake, so connections to one server share it.
 * @param ca certificates (PEM) that are trusted besides the system's
 */
export function trust(ca: string | undefined): () => SecureContext {
  let made: SecureContext | undefined;
  return () =>
    (made ??= createSecureContext({
      minVersion: "TLSv1.2",
      ...(ca === undefined ? {} : { ca: [...defaultCertificates(), ca] }),
    }));
}
