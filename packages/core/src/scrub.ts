import type { Secret } from "./secret.js";

/** One secret, several, or none. */
type Secrets = Secret | readonly Secret[] | undefined;

/** Cuts secrets out of a text, also where a server sends back the line or the base64 that they came in. */
export function scrub(text: string, secrets: Secrets): string {
  const forms = [secrets ?? []].flat().flatMap((each) => writtenForms(each.reveal()));
  return forms.reduce((rest, form) => rest.replaceAll(form, "[secret]"), text);
}

/** A cause for DEBUG: the error's text and stack, without its many fields, and without the secret. */
export function scrubbedError(error: unknown, secrets: Secrets): Error {
  const copy = new Error(scrub(error instanceof Error ? error.message : String(error), secrets));
  if (error instanceof Error) {
    copy.name = error.name;
    if (error.stack !== undefined) copy.stack = scrub(error.stack, secrets);
  }
  return copy;
}

/** Longest first, so that no rest of one form is left by another. */
function writtenForms(value: string): readonly string[] {
  const bytes = Buffer.from(value);
  const texts = [value, bytes.toString("latin1")];
  // A quoted string of IMAP (RFC 3501, section 4.3), and one of JSON.
  const quoted = texts.flatMap((text) => [text.replace(/["\\]/g, "\\$&"), JSON.stringify(text).slice(1, -1)]);
  // Base64 within a longer text, as in SASL PLAIN, differs by what is before it: three ways, less the edges.
  const encoded = [0, 1, 2].map((skip) => {
    const all = Buffer.concat([Buffer.alloc(skip), bytes]).toString("base64");
    return all.slice(Math.ceil((skip * 8) / 6), Math.floor(((skip + bytes.length) * 8) / 6));
  });
  const forms = [...texts, ...quoted, bytes.toString("base64"), ...encoded.filter((form) => form.length > 3)];
  // Of an empty secret there is nothing to find, and between any two characters it would be.
  return [...new Set(forms)].filter((form) => form !== "").toSorted((a, b) => b.length - a.length);
}
