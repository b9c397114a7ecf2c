export { type Attachment, type Mail, type TakeAttachment, parseMail } from "./parse-mail.js";
export { Header, type HeaderField, headerLength } from "./header.js";
export { fold, missingWords } from "./fold.js";
export { numberedName, safeFileName } from "./file-name.js";
export { type MboxFacts, mboxEntry } from "./mbox.js";
export { attachmentFileName } from "./attachment-name.js";
