import type { MirrorPlace } from "@backup/core";
import type { RsyncCopied } from "@backup/transport-rsync";

/** What rsync(1) complained about. @returns how much is missing from the backup */
export function tellComplaints(
  { end, complaints }: RsyncCopied,
  { onEvent }: Pick<MirrorPlace, "onEvent">,
  name: string,
): number {
  let failed = 0;
  for (const line of complaints) {
    const isVanished = /^(?:file|directory) has vanished: /.test(line);
    if (isVanished) {
      onEvent({ type: "warning", code: "ITEM_VANISHED", message: `while it was copied, ${line.replace(" has", "")}` });
      continue;
    }
    failed++;
    onEvent({ type: "failed", collection: name, code: "ITEM_UNREADABLE", message: line });
  }
  if (end === "limited") {
    failed++;
    const message = `${name} lost more files while the run went on than it had been compared with; they were kept, run again`;
    onEvent({ type: "failed", collection: name, code: "DELETION_LIMIT", message });
  }
  if (end === "partial" && failed === 0) {
    failed++;
    const message = `rsync left something out, and did not say what; run again with DEBUG=1`;
    onEvent({ type: "failed", collection: name, code: "ITEM_UNREADABLE", message });
  }
  return failed;
}
