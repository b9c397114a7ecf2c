import { type BackupError, type PluginRegistry, type Store, camelCase } from "@backup/core";
import type { ActionContext } from "./action.js";
import { type DestinationArguments, unusedOptions } from "./destinations.js";
import { contextFor } from "./context-for.js";

/** What of an action's arguments is said of its destination: no option of the source's own that the store does not know. */
export function destinationOf<Args extends DestinationArguments>(
  { options }: { readonly options: Readonly<Record<string, unknown>> },
  args: Args,
  plugins: PluginRegistry,
): Args {
  const used = plugins.store(args.dest).options;
  const own = Object.keys(options).filter((name) => !Object.hasOwn(used, name) && name !== "timeout");
  const names = own.flatMap((name) => [name, camelCase(name)]);
  return { ...args, ...Object.fromEntries(names.map((name) => [name, undefined])) };
}

/**
 * The store that DEST names. One on another host begins to connect at once, and what fails shows at its first use.
 * @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE
 */
export async function openDestination(args: DestinationArguments, context: ActionContext): Promise<Store> {
  const { plugins, onEvent } = context;
  const plugin = plugins.store(args.dest);
  const unused = unusedOptions(args, plugins);
  if (unused.length > 0) {
    const message = `${unused.join(", ")}: of no use for ${args.dest}, which is ${plugin.summary}`;
    onEvent({ type: "warning", code: "OPTION_UNUSED", message });
  }
  const inner = contextFor(args, context);
  try {
    return endingWith(await plugin.open(args as never, inner), inner);
  } catch (error) {
    await inner[Symbol.asyncDispose]();
    throw error;
  }
}

/** Secrets that a destination names and that are not there. */
export async function destinationProblems(
  args: DestinationArguments,
  context: ActionContext,
): Promise<readonly BackupError[]> {
  await using inner = contextFor(args, context);
  return (await context.plugins.store(args.dest).problems?.(args as never, inner)) ?? [];
}

/** The store itself, which disposes of what it was opened with when it is disposed of. */
function endingWith(store: Store, inner: AsyncDisposable): Store {
  const dispose = store[Symbol.asyncDispose].bind(store);
  return Object.assign(store, {
    async [Symbol.asyncDispose]() {
      await dispose();
      await inner[Symbol.asyncDispose]();
    },
  });
}
