/** Names that mean a device to Windows, with any extension. */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
const UNSAFE = /[\x00-\x1f\x7f-\x9f<>:"/\\|?*\p{Bidi_Control}\p{Surrogate}\u2028\u2029]+/gu;
/** Bytes: a file system that takes 255 has room for what is put behind it. */
const LONGEST = 180;

/** What somebody else called a thing, as the name of a file that any file system holds; no part of a path. */
export function safeFileName(text: string, fallback: string): string {
  const name = shorten(
    text
      .normalize("NFC")
      .replace(UNSAFE, "_")
      .replace(/\s+/g, " ")
      .replace(/^[. -]+|[. ]+$/g, ""),
  );
  if (/^_*$/.test(name)) return fallback;
  return DEVICE.test(name) ? `_${name}` : name;
}

/** The name with a number, before its extension: for the second one of its kind. */
export function numberedName(name: string, number: number): string {
  const { stem, extension } = split(name);
  return `${stem} (${number})${extension}`;
}

/** Cut before its extension, and not within a character. */
function shorten(name: string): string {
  const { stem, extension } = split(name);
  let room = LONGEST - Buffer.byteLength(extension);
  let kept = "";
  for (const character of stem) {
    room -= Buffer.byteLength(character);
    if (room < 0) break;
    kept += character;
  }
  return `${kept.trimEnd()}${extension}`;
}

function split(name: string): { readonly stem: string; readonly extension: string } {
  const [extension = ""] = /(?<=[^.])\.[\p{L}\p{N}]{1,12}$/u.exec(name) ?? [];
  return { stem: name.slice(0, name.length - extension.length), extension };
}
