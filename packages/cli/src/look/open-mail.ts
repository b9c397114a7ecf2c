import { BackupError, type CollectionFiles, backupFiles } from "@backup/core";
import type { CommandContext } from "../commands/subcommand.js";
import type { LookingArguments } from "../looking-options.js";
import { type OpenBackup, openBackup } from "../open-backup.js";
import { rendererFor } from "../render/renderer-for.js";
import type { Renderer } from "../render/renderer.js";
import { type StoredMessage, messagesOf } from "./stored-message.js";

/** A backup of mail that is open, and who tells a person what is wrong with it. */
export interface OpenMail extends OpenBackup {
  readonly renderer: Renderer;
  /** Of every folder, or of the wanted ones, the messages; folders by path. */
  messages(
    wanted?: (folder: Pick<CollectionFiles, "path" | "name">) => boolean,
  ): AsyncGenerator<readonly StoredMessage[]>;
}

/**
 * Opens a backup of mail. What is printed of the way there is what is wrong: the rest of the output is messages.
 * @throws BackupError as openBackup; USAGE where it is of something else
 */
export async function openMail(args: LookingArguments, context: CommandContext): Promise<OpenMail> {
  const { signal } = context;
  const renderer = rendererFor({ ...context, quiet: true });
  const opened = await openBackup(args, { ...context, onEvent: renderer.event.bind(renderer) });
  if (!opened.layout.mailOf) {
    await opened[Symbol.asyncDispose]();
    throw new BackupError("USAGE", `${opened.store.name} is a backup of type ${opened.type}, and this is for mail`);
  }
  return {
    ...opened,
    renderer,
    async *messages(wanted = () => true) {
      for await (const files of backupFiles({ ...opened, signal, wanted })) yield messagesOf(files, opened.layout);
    },
  };
}
