/** What a plan calls a positional argument. */
export function planKey(positional: string): string {
  return positional === "dest" ? "destination" : positional;
}
