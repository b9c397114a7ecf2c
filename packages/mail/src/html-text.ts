import { type MailParserOptions, simpleParser } from "mailparser";

/**
 * The text of HTML. The parser makes it for a message that is nothing but HTML; for a part beside attachments it does not.
 * @throws what the parser throws
 */
export async function htmlText(html: string, options: MailParserOptions): Promise<string> {
  const message = `Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${html}`;
  const { text = "", textConversionError: failed } = await simpleParser(Buffer.from(message), options);
  if (failed) throw failed;
  return text;
}
