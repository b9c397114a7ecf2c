import { generate } from "selfsigned";

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * A certificate for `localhost`, for two days, that is its own authority.
 * @returns {Promise<{ cert: string, key: string }>} PEM
 */
export async function makeCertificate() {
  const now = Date.now();
  const { cert, private: key } = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
    algorithm: "sha256",
    notBeforeDate: new Date(now - DAY_MS),
    notAfterDate: new Date(now + DAY_MS),
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", digitalSignature: true, keyCertSign: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      { name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }] },
    ],
  });
  return { cert, key };
}
