import { BackupError } from "@backup/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readInParts } from "../src/read-in-parts.js";

const LENGTH = 10;

interface Reading {
  readonly bytes: Buffer;
  readonly asked: readonly number[];
  /** Most bytes that a piece had. */
  readonly largest: number;
}

/** Reads a message of which the server announced another size. */
async function read(message: Buffer, announced: number): Promise<Reading> {
  const asked: number[] = [];
  const part = (start: number, length: number): Promise<Buffer> => {
    asked.push(start);
    expect(length).toBe(LENGTH);
    return Promise.resolve(message.subarray(start, start + length));
  };
  const pieces: Buffer[] = [];
  for await (const piece of readInParts(message.subarray(0, LENGTH), announced, LENGTH, part)) pieces.push(piece);
  return { bytes: Buffer.concat(pieces), asked, largest: Math.max(0, ...pieces.map((piece) => piece.length)) };
}

const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, index) => index % 251));

describe("a message in parts", () => {
  it.each([
    ["shorter than a part", 7, []],
    ["of several parts", 37, [10, 20, 30]],
    ["of whole parts: the end is where nothing comes", 30, [10, 20, 30]],
    ["empty", 0, []],
  ] as const)("%s", async (_name, size, asked) => {
    const reading = await read(bytes(size), size);
    expect(reading.bytes).toEqual(bytes(size));
    expect(reading.asked).toEqual(asked);
  });

  it("is whole whatever size was announced, and no piece is larger than asked", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(60), fc.nat(90), async (size, announced) => {
        const reading = await read(bytes(size), announced);
        expect(reading.bytes.equals(bytes(size))).toBe(true);
        expect(reading.largest).toBeLessThanOrEqual(LENGTH);
        // Each start once, in order, and not far beyond the end.
        expect(reading.asked).toEqual(reading.asked.toSorted((a, b) => a - b));
        expect(reading.asked.length).toBeLessThanOrEqual(Math.ceil(size / LENGTH) + 2);
      }),
    );
  });

  it("goes on behind a part that is short before its time", async () => {
    const message = bytes(35);
    const parts = [
      message.subarray(0, 10),
      message.subarray(10, 14),
      message.subarray(14, 24),
      message.subarray(24, 34),
      message.subarray(34),
    ];
    const starts: number[] = [];
    const pieces: Buffer[] = [];
    const part = (start: number): Promise<Buffer> => {
      starts.push(start);
      return Promise.resolve(parts[starts.length] ?? Buffer.alloc(0));
    };
    for await (const piece of readInParts(message.subarray(0, 10), 35, LENGTH, part)) pieces.push(piece);
    expect(Buffer.concat(pieces)).toEqual(message);
    expect(starts).toEqual([10, 14, 24, 34]);
  });

  it("is whole at once where the first part is more than asked", async () => {
    const pieces: Buffer[] = [];
    const never = (): Promise<Buffer> => Promise.reject(new Error("asked for more"));
    for await (const piece of readInParts(bytes(25), 40, LENGTH, never)) pieces.push(piece);
    expect(Buffer.concat(pieces)).toEqual(bytes(25));
  });

  it("ends with an error when it never ends by itself", async () => {
    const part = Buffer.alloc(1024 * 1024);
    const announced = 3 * part.byteLength;
    let received = 0;
    const reading = async (): Promise<void> => {
      for await (const piece of readInParts(part, announced, part.byteLength, () => Promise.resolve(part)))
        received += piece.byteLength;
    };
    await expect(reading()).rejects.toMatchObject({ code: "ITEM_UNREADABLE", transient: true });
    expect(received).toBe(70 * part.byteLength);
  });

  it("ends with an error when the message vanishes on the way, not as a shorter one", async () => {
    const pieces: Buffer[] = [];
    const reading = async (): Promise<void> => {
      for await (const piece of readInParts(bytes(10), 30, LENGTH, () => Promise.resolve(undefined)))
        pieces.push(piece);
    };
    await expect(reading()).rejects.toMatchObject({ code: "ITEM_UNREADABLE", transient: true });
    expect(pieces).toHaveLength(1);
  });

  it("passes on the error of a part, and asks for none that nobody reads", async () => {
    const broken = new BackupError("CONNECTION_LOST", "gone");
    const rest = readInParts(bytes(10), 30, LENGTH, () => Promise.reject(broken));
    await rest.next();
    await expect(rest.next()).rejects.toBe(broken);

    let asked = 0;
    for await (const piece of readInParts(bytes(10), 1000, LENGTH, () => Promise.resolve(bytes(++asked && 10)))) {
      expect(piece).toHaveLength(10);
      if (asked === 2) break;
    }
    expect(asked).toBe(2);
  });
});
