import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { generate } from "selfsigned";

/** PEM texts. The certificate is its own authority: give `cert` to a client as its CA. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** Host name it is for, apart from 127.0.0.1. Default `localhost`. */
  readonly host?: string;
  /** It ended yesterday. */
  readonly expired?: boolean;
}

const DAY_MS = 24 * 60 * 60 * 1000;

export async function makeCertificate(options: CertificateOptions = {}): Promise<Certificate> {
  const { host = "localhost", expired = false } = options;
  const now = Date.now();
  const pems = await generate([{ name: "commonName", value: host }], {
    keyType: "ec",
    algorithm: "sha256",
    notBeforeDate: new Date(now - 30 * DAY_MS),
    notAfterDate: new Date(expired ? now - DAY_MS : now + 30 * DAY_MS),
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", digitalSignature: true, keyCertSign: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: 2, value: host },
          { type: 7, ip: "127.0.0.1" },
        ],
      },
    ],
  });
  return { cert: pems.cert, key: pems.private };
}

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Writes `cert.pem` and `key.pem` into the directory. */
export async function writeCertificate(certificate: Certificate, directory: string): Promise<CertificateFiles> {
  const files = { certFile: join(directory, "cert.pem"), keyFile: join(directory, "key.pem") };
  await writeFile(files.certFile, certificate.cert);
  await writeFile(files.keyFile, certificate.key, { mode: 0o600 });
  return files;
}
