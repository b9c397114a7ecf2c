/** Writes to the standard output, and waits until it is taken: it may be much. False: nobody reads any more. */
export async function writeOut(what: string | Uint8Array): Promise<boolean> {
  return new Promise((resolve) => process.stdout.write(what, (error) => resolve(!error)));
}
