import { type Path, type RawPath, isSafe } from "@backup/core";

export type { RawPath } from "@backup/core";

/** The same for a store; undefined: its names are no UTF-8, and stores know no others. */
export function textOf(raw: RawPath): Path | undefined {
  // Mostly plain ASCII.
  if (/^[\x20-\x7e]*$/.test(raw)) return isSafe(raw) ? raw : undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(raw, "latin1"));
    return isSafe(text) ? text : undefined;
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** For a person. */
export function shown(raw: RawPath): string {
  return textOf(raw) ?? Buffer.from(raw, "latin1").toString();
}

export function rawOf(path: string): RawPath {
  return Buffer.from(path).toString("latin1");
}

/** What the file is called here. */
export function placeIn(directory: string, raw: RawPath): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(raw, "latin1")]);
}

/** Directories that it is in, the nearest first, without the top. */
export function* above(raw: RawPath): Generator<RawPath> {
  for (let cut = raw.lastIndexOf("/"); cut > 0; cut = raw.lastIndexOf("/", cut - 1)) yield raw.slice(0, cut);
}
