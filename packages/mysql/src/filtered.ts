import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { systemCode } from "@backup/core";
import type { Filter } from "./compression.js";

/**
 * What a filter makes of bytes, as it comes. It ends when all of them went through; what fails on either side is thrown
 * instead of the end.
 */
export async function* filtered(bytes: AsyncIterable<Uint8Array>, filter: Filter): AsyncGenerator<Uint8Array> {
  let failure: { readonly error: unknown } | undefined;
  const feeding = pipeline(Readable.from(bytes, { objectMode: false }), filter.stdin).catch((error: unknown) => {
    failure = { error };
    // Half a result must not end as if it were one.
    filter.stdout.destroy();
  });
  try {
    for await (const piece of filter.stdout as AsyncIterable<Uint8Array>) yield piece;
    await feeding;
    await filter.end();
  } catch (error) {
    await feeding;
    // A filter that ended too soon says why itself.
    if (failure && systemCode(failure.error) === "EPIPE") await filter.end();
    throw failure ? failure.error : error;
  } finally {
    await filter[Symbol.asyncDispose]();
    await feeding;
  }
  if (failure) throw failure.error;
}
