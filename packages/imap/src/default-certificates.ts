import * as tls from "node:tls";

/** What `node:tls` offers; `getCACertificates` since Node 22.15. */
interface Certificates {
  readonly rootCertificates: readonly string[];
  readonly getCACertificates?: (type: "default") => readonly string[];
}

/**
 * The certificates (PEM) that Node trusts by itself, to be named beside one's own: giving any replaces them all. Those of
 * NODE_EXTRA_CA_CERTS and of the system are among them where Node tells.
 */
export function defaultCertificates(node: Certificates = tls): readonly string[] {
  return node.getCACertificates?.("default") ?? node.rootCertificates;
}
