/** Columns of numbers to the right, the last one as it is. */
export function align(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows[0]?.map((_cell, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row.map((cell, at) => (at === row.length - 1 ? cell : cell.padStart(widths[at] ?? 0))).join("  "),
  );
}

/** `2026-11-23 12:52:07 UTC`, of ISO 8601. */
export function formatTime(iso: string): string {
  return `${iso.slice(0, 19).replace("T", " ")} UTC`;
}
