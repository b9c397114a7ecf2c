/** One entry of a list: macros, and a text. */
export interface Tagged {
  /** As mdoc(7) has it: `Fl -json`. */
  readonly tag: string;
  readonly text: string;
}

export function section(title: string, ...lines: readonly string[]): string {
  return [`.Sh ${title.toUpperCase()}`, ...lines].join("\n");
}

export function list(entries: readonly Tagged[]): string {
  const items = entries.flatMap(({ tag, text }) => [`.It ${tag}`, escapeText(text)]);
  return [".Bl -tag -width Ds", ...items, ".El"].join("\n");
}

/** A command line, as it is typed. */
export function literal(line: string): string {
  return [".Bd -literal -offset indent", escapeText(line), ".Ed"].join("\n");
}

/** A text that is no macro, whatever is in it; each sentence on a line of its own, as mdoc(7) asks for. */
export function escapeText(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/[^\n\x20-\x7e]/gu, (character) => `\\[u${codeOf(character)}]`)
    .replace(/(?<=[\w)][.?!]) (?=[A-Z])/g, "\n")
    .replace(/^(?=[.'])/gm, "\\&");
}

function codeOf(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
}
