/** Hours, minutes and seconds, in this order, each at most once: `90s`, `10m`, `1h30m`. */
export const DURATION = "^(?=.)(?:(\\d{1,3})h)?(?:(\\d{1,5})m)?(?:(\\d{1,6})s)?$";

/** Milliseconds of a text that {@link DURATION} matches. */
export function parseDuration(text: string): number {
  const [, hours = "0", minutes = "0", seconds = "0"] = new RegExp(DURATION).exec(text) ?? [];
  return ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
}
