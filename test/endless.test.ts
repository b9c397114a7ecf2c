import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fillAccount, readServer } from "./support/account.js";
import { type AnswerFault, ENDLESS_FAULTS } from "./support/answer-faults.js";
import { type Certificate, makeCertificate } from "./support/certificate.js";
import { runBackup, startBackup, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import type { MailServer } from "./support/mail-server.js";
import { commandName } from "./support/matrix-commands.js";
import { startMeddler } from "./support/meddler.js";
import { peakMemory } from "./support/peak-memory.js";
import { temporaryDirectory } from "./support/temporary-directory.js";
import { expectedTree, readTree } from "./support/tree.js";

const MIB = 1024 * 1024;

let server: MailServer;
let certificate: Certificate;
beforeAll(async () => {
  certificate = await makeCertificate();
  server = await startDovecot();
  await fillAccount(server, { messages: 20 });
});
afterAll(async () => await server?.stop());

const CASES: readonly (readonly [
  fault: keyof typeof ENDLESS_FAULTS,
  command: string,
  code: number,
  stderr: RegExp,
  peakMib: number,
  /** How often: a folder is opened once together with what follows, and then by itself. */
  times: number,
])[] = [
  ["an endless line", "GREETING", 1, /^backup: imaps:\S+ answered what makes no sense here \(LineTooLarge\)/, 220, 1],
  ["kind words for ever", "GREETING", 1, /^backup: imaps:\S+ sent an answer without end, which was broken off/, 220, 1],
  ["trash for ever", "AUTHENTICATE", 1, /^backup: imaps:\S+ sent an answer without end/, 220, 1],
  ["an endless line", "LIST with STATUS", 0, /^$/, 220, 1],
  ["rows for ever", "LIST with STATUS", 0, /^$/, 220, 1],
  ["garbage for ever", "EXAMINE", 3, /folder \S+ cannot be opened: imaps:\S+ sent an answer without end/, 220, 5],
  ["garbage for ever", "EXAMINE", 0, /^$/, 220, 1],
  ["rows for ever", "UID FETCH of the listing", 0, /^$/, 220, 1],
  ["garbage for ever", "UID FETCH of bodies", 0, /^$/, 220, 1],
  // As large as the client takes one, and one more while that is looked at.
  ["literals for ever", "UID FETCH of bodies", 0, /^$/, 400, 1],
];

test.each(CASES)(
  "%s at %s end by a limit, and the memory stays flat",
  async (faultName, command, code, stderr, peakMib, times) => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const secret = await writeSecret(directory.path, "alice.password", "secret");
    const ca = join(directory.path, "ca.pem");
    await writeFile(ca, certificate.cert);
    let count = 0;
    const faultOf = (sent: string): AnswerFault | undefined =>
      commandName(sent) === command && count++ < times ? ENDLESS_FAULTS[faultName] : undefined;
    await using meddler = await startMeddler({ target: server.starttlsPort, certificate, security: "tls", faultOf });
    const args = ["imap", "alice", destination, `imaps://localhost:${meddler.port}`, "--srcsecret", secret];
    const { child, result } = startBackup([...args, "--tls-ca", ca, "--quiet"]);
    const [peakBytes, ended] = await Promise.all([peakMemory(child), result]);
    expect(ended).toMatchObject({ code, stderr: expect.stringMatching(stderr) });
    expect(meddler.struck).toBe(times);
    expect(peakBytes).toBeLessThan(peakMib * MIB);
    expect(await runBackup([...args, "--tls-ca", ca])).toExit(0);
    expect(await readTree(destination)).toEqual(expectedTree(await readServer(server)));
  },
  180_000,
);
