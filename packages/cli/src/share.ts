import { BackupError } from "@backup/core";

export interface SampleArguments {
  readonly sample?: string | undefined;
}

/** `--sample 5%` as a part of 1; without it all. @throws BackupError USAGE */
export function readShare({ sample }: SampleArguments): number {
  if (sample === undefined) return 1;
  const [, number] = /^(\d+(?:\.\d+)?) ?%?$/.exec(sample) ?? [];
  const percent = Number(number);
  if (percent > 0 && percent <= 100) return percent / 100;
  throw new BackupError("USAGE", `--sample takes a part of all messages, as 5%, not '${sample}'`);
}
