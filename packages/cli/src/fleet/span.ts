import { BackupError } from "@backup/core";

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of `90s`, `5m`, `26h`, `7d`, or several of them, as `1h30m`. @throws BackupError USAGE */
export function spanOf(option: string, text: string): number {
  const parts = [...text.matchAll(/(\d{1,6})([smhd])/g)];
  const isWhole = parts.length > 0 && parts.map(([part]) => part).join("") === text;
  if (!isWhole) throw new BackupError("USAGE", `${option} takes a time as 90s, 5m, 26h or 7d, not '${text}'`);
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit as keyof typeof UNITS], 0);
}

/** `3 h`, `2 days`: the largest unit that there is one of. */
export function formatSpan(ms: number): string {
  const [unit, name] = (
    [
      [UNITS.d, "d"],
      [UNITS.h, "h"],
      [UNITS.m, "min"],
      [UNITS.s, "s"],
    ] as const
  ).find(([size]) => ms >= 2 * size) ?? [UNITS.s, "s"];
  return `${Math.round(ms / unit)} ${name}`;
}
