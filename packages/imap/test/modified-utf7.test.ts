import { expect, it } from "vitest";
import { toModifiedUtf7 } from "../src/modified-utf7.js";

it.each([
  ["INBOX", "INBOX"],
  // RFC 3501, section 5.1.3.
  ["~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"],
  ["Entwürfe & Co", "Entw&APw-rfe &- Co"],
  ["ü&ü", "&APw-&-&APw-"],
  ["\u{1f600}", "&2D3eAA-"],
])("%s goes on the wire as %s", (name, wire) => {
  expect(toModifiedUtf7(name)).toBe(wire);
});
