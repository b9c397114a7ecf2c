import { BackupError } from "@backup/core";

/** What is wrong by these tries: the errors of those that failed. */
export async function problemsOf(tries: readonly (() => Promise<unknown>)[]): Promise<readonly BackupError[]> {
  const problems: BackupError[] = [];
  for (const attempt of tries)
    try {
      await attempt();
    } catch (error) {
      if (!(error instanceof BackupError)) throw error;
      problems.push(error);
    }
  return problems;
}
