import type { MirrorPlace } from "@backup/core";
import type { Copied } from "./copier.js";

/** What could not be done. @returns how much is missing from the backup */
export function tellComplaints(
  { end, complaints }: Copied,
  { onEvent }: Pick<MirrorPlace, "onEvent">,
  name: string,
): number {
  let failed = 0;
  for (const { kind, text } of complaints) {
    if (kind === "vanished") {
      onEvent({ type: "warning", code: "ITEM_VANISHED", message: `while it was copied, ${text}` });
      continue;
    }
    failed++;
    onEvent({ type: "failed", collection: name, code: "ITEM_UNREADABLE", message: text });
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
