import { rootCertificates } from "node:tls";
import { describe, expect, it } from "vitest";
import { defaultCertificates } from "../src/certificates.js";

describe("the certificates that are trusted anyway", () => {
  it("are those that Node names, with the system's and NODE_EXTRA_CA_CERTS", () => {
    const node = {
      rootCertificates: ["bundled"],
      getCACertificates: (type: string) => ["bundled", `extra of ${type}`],
    };
    expect(defaultCertificates(node)).toEqual(["bundled", "extra of default"]);
  });

  it("are those that come with it where it names none", () => {
    expect(defaultCertificates({ rootCertificates: ["bundled"] })).toEqual(["bundled"]);
  });

  it("are some, in this Node", () => {
    expect(defaultCertificates().length).toBeGreaterThan(0);
    expect(rootCertificates.length).toBeGreaterThan(0);
  });
});
