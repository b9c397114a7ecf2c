import { BackupError, LocalStore, backup, findSecret } from "@backup/core";
import { parseRemote } from "@backup/transport-rsync";
import { exitOfReport } from "../exit-code.js";
import { plugins } from "../plugins.js";
import type { Renderer } from "../render/renderer.js";

export interface ImapArguments {
  readonly user: string;
  readonly dest: string;
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

export interface CommandContext {
  readonly renderer: Renderer;
  readonly signal: AbortSignal;
  /** DEBUG=1. */
  readonly debug: boolean;
  /** Directory of secrets. */
  readonly secrets: string;
}

/** `backup imap`; resolves to the exit status. */
export async function imapCommand(
  args: ImapArguments,
  { renderer, signal, debug, secrets }: CommandContext,
): Promise<number> {
  if (parseRemote(args.dest))
    throw new BackupError(
      "USAGE",
      `${args.dest}: destinations on other hosts are not there yet; name a local directory (./${args.dest} if it is one)`,
    );
  const onEvent = renderer.event.bind(renderer);
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
  await using store = new LocalStore(args.dest);
  const { keepDeleted, allowDeletes, dryRun } = args;
  return exitOfReport(await backup({ source, store, signal, onEvent, keepDeleted, allowDeletes, dryRun }));
}
