import { type Damage, type Differences, type Report, type Verified, isDamagedFile } from "@backup/core";
import { formatBytes, formatCount, jsonLine } from "./text.js";

/** A backup as `backup verify` found it. */
export interface Verification {
  readonly destination: string;
  /** DEST of a command that repairs it; undefined: it cannot be, as a snapshot that is not the newest. */
  readonly repairable: string | undefined;
  readonly source: string;
  /** What a person calls an item; default: message. */
  readonly unit?: "file" | undefined;
  /** What says how files are to be; default: their names. */
  readonly by?: "manifest";
  /** Only some of the messages were read. */
  readonly isSample: boolean;
  /** After the repair, if there was one. */
  readonly verified: Verified;
  /** With the server. */
  readonly compared?: Differences;
  /** The run that repaired. */
  readonly repaired?: Report;
}

/** Names in a line, unless all are asked for. */
const SHOWN = 12;
const NUMBER = new Intl.NumberFormat("en");

/** Whether nothing is damaged, nothing is missing, and, where the server was asked, the flags are its. */
export function isGood({ verified, compared, repaired }: Verification): boolean {
  const isSame =
    compared === undefined ||
    (compared.failed === 0 &&
      compared.differences.every(({ missing, other }) => missing.length === 0 && other.length === 0));
  return verified.damaged.length === 0 && isSame && repaired?.result !== "partial";
}

/** One object, on a line. Damage was said before, as events. */
export function verificationJson(verification: Verification): string {
  const { destination, source, verified, compared, repaired } = verification;
  const { damaged, ...counts } = verified;
  return jsonLine({
    type: "verified",
    destination,
    source,
    good: isGood(verification),
    ...counts,
    damaged: damaged.length,
    ...(compared && { server: compared }),
    ...(repaired && { repair: repaired }),
  });
}

/** Quiet leaves what is wrong, which was said before, of the files. */
export function formatVerification(
  verification: Verification,
  { isQuiet, isVerbose }: { readonly isQuiet: boolean; readonly isVerbose: boolean },
): readonly string[] {
  const { verified, compared } = verification;
  const shown = isVerbose ? Number.POSITIVE_INFINITY : SHOWN;
  const differences = compared ? formatDifferences(compared, shown) : [];
  const lines = [...differences, ...(isQuiet ? [] : formatOthers(verified, shown))];
  if (isQuiet && isGood(verification)) return lines;
  const server = isQuiet || !compared ? [] : [formatCompared(compared)];
  return [...lines, ...server, formatResult(verification), ...formatAdvice(verification)];
}

function formatResult({ verified, isSample, unit, by: says }: Verification): string {
  const { files, bytes, readFiles, readBytes, damaged } = verified;
  const all = `${formatCount(files, unit ?? "message")}, ${formatBytes(bytes)}`;
  const read = `${NUMBER.format(readFiles)} of them were read, ${formatBytes(readBytes)}`;
  if (damaged.length > 0) return `${all}: ${isSample ? `${read}; ` : ""}${formatDamaged(damaged)}`;
  const by = says === "manifest" ? "the manifest says" : "their names say";
  return isSample ? `${all}: ${read}, and are as ${by}` : `${all}: all as ${by}`;
}

function formatDamaged(damaged: readonly Damage[]): string {
  const files = damaged.filter(isDamagedFile).length;
  const parts = [
    ...(files > 0 ? [`${formatCount(files, "file")} damaged`] : []),
    ...(files < damaged.length ? [formatCount(damaged.length - files, "other problem")] : []),
  ];
  return parts.join(", ");
}

function formatAdvice({ repairable, verified, repaired }: Verification): readonly string[] {
  if (verified.damaged.length === 0) return [];
  if (repaired) return ["what is left could not be had from the server, and stays as it is"];
  return repairable === undefined ? [] : [`backup verify ${repairable} --repair --server SERVER downloads that again`];
}

function formatDifferences({ differences }: Differences, shown: number): readonly string[] {
  return differences.map(({ name, missing, superfluous, other }) => {
    const parts = [
      ...formatIds("missing here", missing, shown),
      ...formatIds("not on the server", superfluous, shown),
      ...formatIds("with other flags", other, shown),
    ];
    return `${name}: ${parts.join("; ")}`;
  });
}

function formatIds(what: string, ids: readonly string[], shown: number): readonly string[] {
  return ids.length === 0 ? [] : [`${NUMBER.format(ids.length)} ${what} (${formatNames(ids, shown)})`];
}

function formatCompared({ items, collections, differences, failed }: Differences): string {
  const server = `the server has ${formatCount(items, "message")} in ${formatCount(collections, "folder")}`;
  const known = failed > 0 ? `, and ${NUMBER.format(failed)} more could not be listed` : "";
  const same = differences.length === 0 ? "the same are here" : `${formatCount(differences.length, "folder")} differ`;
  return `${server}${known}: ${same}`;
}

function formatOthers({ others }: Verified, shown: number): readonly string[] {
  if (others.length === 0) return [];
  return [`${formatCount(others.length, "file")} there of others, or left by a run: ${formatNames(others, shown)}`];
}

function formatNames(names: readonly string[], shown: number): string {
  const more = names.length - shown;
  return `${names.slice(0, shown).join(", ")}${more > 0 ? ` and ${NUMBER.format(more)} more` : ""}`;
}
