import { backup, findSecret } from "@backup/core";
import type { DestinationArguments } from "../destination-options.js";
import { openDestination } from "../destination.js";
import { exitOfReport } from "../exit-code.js";
import { plugins } from "../plugins.js";
import type { CommandContext } from "./context.js";

export interface ImapArguments extends DestinationArguments {
  readonly user: string;
  readonly server: string;
  readonly srcsecret?: string | undefined;
  readonly tlsCa?: string | undefined;
  readonly folder: readonly string[];
  readonly excludeFolder: readonly string[];
  readonly keepDeleted: boolean;
  readonly allowDeletes: boolean;
  readonly dryRun: boolean;
  /** Seconds. */
  readonly timeout: number;
}

/** `backup imap`; resolves to the exit status. */
export async function imapCommand(args: ImapArguments, context: CommandContext): Promise<number> {
  const { renderer, signal, debug, secrets } = context;
  const onEvent = renderer.event.bind(renderer);
  // Opened first: another host is connected to from here on, side by side with the source.
  await using store = await openDestination(args, context);
  const plugin = await plugins.load("imap");
  await using source = await plugin.create(
    {
      user: args.user,
      server: args.server,
      tlsCa: args.tlsCa,
      filter: { include: args.folder, exclude: args.excludeFolder },
      timeoutMs: args.timeout * 1000,
    },
    {
      onEvent,
      trace: debug,
      secret: (query) =>
        findSecret({ ...query, parameter: args.srcsecret, option: "--srcsecret", directory: secrets, onEvent }),
    },
  );
  const { keepDeleted, allowDeletes, dryRun } = args;
  return exitOfReport(await backup({ source, store, signal, onEvent, keepDeleted, allowDeletes, dryRun }));
}
