import type { ImapFlow } from "imapflow";

/** What imapflow's types do not have. */
interface Handlers {
  /** Asked for an untagged answer that the command under way does not take for its own. */
  readonly untaggedHandlers: Record<string, ((answer: unknown) => unknown) | undefined>;
  /** By the code in brackets. */
  readonly sectionHandlers: Record<string, ((values: unknown) => unknown) | undefined>;
}

/** Calls back for each of these answers that no command has asked for, from now on. */
export function hearAnswers(client: ImapFlow, names: readonly string[], heard: () => void): void {
  const { untaggedHandlers } = client as unknown as Handlers;
  for (const name of names) {
    const usual = untaggedHandlers[name];
    untaggedHandlers[name] = async (answer) => {
      heard();
      await usual?.(answer);
    };
  }
}

/** Calls back when an answer has this code. */
export function hearCode(client: ImapFlow, code: string, heard: () => void): void {
  (client as unknown as Handlers).sectionHandlers[code] = heard;
}
