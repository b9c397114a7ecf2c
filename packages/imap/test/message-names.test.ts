import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contentOf } from "@backup/core";
import { identifyMessage, messageFileName } from "../src/message-names.js";

const name = fc.record({
  uidValidity: fc.bigInt({ min: 0n, max: 2n ** 63n }),
  uid: fc.integer({ min: 1, max: 4294967295 }),
  epoch: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  letters: fc.constantFrom("", "S", "FRS", "DFRSTabz"),
});

describe("message names", () => {
  it("is what docs/format.md says", () => {
    const content = contentOf(Buffer.from("abc"));
    const message = { uidValidity: 17n, uid: 42, epoch: 1_700_000_000, letters: "FSa" };
    expect(messageFileName(message, content, { colon: true })).toBe(
      "1700000000.V17U42Dxj4bnp4pahh6uqkbidpf3lrcem.backup,S=3:2,FSa",
    );
    expect(messageFileName({ ...message, epoch: -5 }, content, { colon: false })).toBe(
      "n5.V17U42Dxj4bnp4pahh6uqkbidpf3lrcem.backup,S=3;2,FSa",
    );
  });

  it("round-trips", () => {
    fc.assert(
      fc.property(name, fc.uint8Array({ maxLength: 100 }), fc.boolean(), (message, bytes, colon) => {
        const content = contentOf(bytes);
        const path = `a/cur/${messageFileName(message, content, { colon })}`;
        expect(path).not.toMatch(/\/cur\/.*\//);
        expect(identifyMessage({ path, size: bytes.length, mtime: 0 })).toEqual({
          identity: { id: `V${message.uidValidity}U${message.uid}`, rev: "whole" },
          content,
          mtime: message.epoch * 1000,
        });
      }),
      { numRuns: 2000 },
    );
  });

  it("tells a file of the wrong size from a whole one", () => {
    const path = "a/cur/1.V1U1Dxj4bnp4pahh6uqkbidpf3lrcem.backup,S=3:2,";
    expect(identifyMessage({ path, size: 2, mtime: 0 })?.identity.rev).not.toBe("whole");
  });

  it("leaves alone what is not ours, and knows ours with another program's marks", () => {
    for (const foreign of [
      "1.M1P1.host,S=3:2,S",
      "1.V1U1Dxj4bnp4pahh6uqkbidpf3lrcem.backup",
      "x",
      "1.V1U1D.backup,S=3:2,",
    ])
      expect(identifyMessage({ path: `a/cur/${foreign}`, size: 3, mtime: 0 })).toBeUndefined();
    const other = "a/cur/1.V1U1Dxj4bnp4pahh6uqkbidpf3lrcem.host.example,S=3,W=4:2,PSTx";
    expect(identifyMessage({ path: other, size: 3, mtime: 0 })?.identity).toEqual({ id: "V1U1", rev: "whole" });
  });
});
