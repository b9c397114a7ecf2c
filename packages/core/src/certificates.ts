import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import * as tls from "node:tls";
import { BackupError, systemCode } from "./errors.js";

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

/**
 * The certificates (PEM) of a file.
 * @param setting what named the file, for messages: `--tls-ca`
 * @throws BackupError USAGE
 */
export async function readCertificates(file: string, setting: string): Promise<readonly string[]> {
  const refused = (what: string, cause?: unknown): BackupError =>
    new BackupError("USAGE", `${setting}: ${file} ${what}`, { cause });
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw refused(`cannot be read (${systemCode(error) ?? "unknown error"})`, error);
  }
  const pems = text.match(/-----BEGIN CERTIFICATE-----[^-]*(?:-----END CERTIFICATE-----)?/g) ?? [];
  if (pems.length === 0) throw refused("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  try {
    // What is no certificate Node leaves out without a word, and the server's is then not trusted.
    return pems.map((pem) => new X509Certificate(pem).toString());
  } catch (error) {
    throw refused("holds a certificate that is broken; get it again", error);
  }
}
