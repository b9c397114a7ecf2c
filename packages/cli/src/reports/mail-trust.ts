import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import * as tls from "node:tls";
import { BackupError, systemCode } from "@backup/core";

/** What `node:tls` offers; `getCACertificates` since Node 22.15. */
interface Certificates {
  readonly rootCertificates: readonly string[];
  readonly getCACertificates?: (type: "default") => readonly string[];
}

/** The certificates (PEM) of a file and the usual ones beside them: giving any replaces those. @throws BackupError USAGE */
export async function readTrusted(file: string, setting: string, node: Certificates = tls): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    const code = systemCode(error) ?? "unknown error";
    throw new BackupError("USAGE", `${setting}: ${file} cannot be read (${code})`, { cause: error });
  }
  const pems = text.match(/-----BEGIN CERTIFICATE-----[^-]*(?:-----END CERTIFICATE-----)?/g) ?? [];
  if (pems.length === 0) throw new BackupError("USAGE", `${setting}: ${file} holds no certificate in PEM form`);
  try {
    // What is no certificate Node leaves out without a word, and the server's is then not trusted.
    const own = pems.map((pem) => new X509Certificate(pem).toString());
    return [...(node.getCACertificates?.("default") ?? node.rootCertificates), ...own];
  } catch (error) {
    throw new BackupError("USAGE", `${setting}: ${file} holds a certificate that is broken`, { cause: error });
  }
}
