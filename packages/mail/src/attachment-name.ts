import libmime from "libmime";
import { safeFileName } from "./file-name.js";

/** A name for the file of an attachment: its own, without the path that some programs put before it, or its number. */
export function attachmentFileName(
  { name, type }: { readonly name: string; readonly type: string },
  number: number,
): string {
  const last = name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1);
  return safeFileName(last, `attachment-${number}.${libmime.detectExtension(type)}`);
}
