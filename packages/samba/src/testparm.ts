import { BackupError, isBackupError } from "@backup/core";
import type { Machine } from "./machine.js";

export interface Printed {
  /** Empty where the configuration cannot be loaded. */
  readonly text: string;
  readonly stderr: string;
}

/** Runs testparm(1). @throws BackupError PROGRAM_MISSING where there is no Samba; PROGRAM_FAILED */
export async function testparm(machine: Machine, args: readonly string[]): Promise<Printed> {
  try {
    // 1: something in it is not as it should be.
    const { stdout, stderr } = await machine.run(["testparm", "-s", ...args], { accept: [1] });
    return { text: stdout.toString(), stderr };
  } catch (error) {
    if (!isBackupError(error, "PROGRAM_MISSING")) throw error;
    const message = `there is no testparm on ${machine.name}: Samba is not there, or its package samba-common-bin is missing, or PATH leads elsewhere`;
    throw new BackupError("PROGRAM_MISSING", message, { cause: error });
  }
}
