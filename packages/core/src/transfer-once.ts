import type { Item } from "./model.js";
import type { Link } from "./plan.js";
import { type Transfer, type TransferInput, transfer } from "./transfer.js";

export interface TransferOnceInput<I extends Item> extends TransferInput<I> {
  /** Made first; what cannot be linked is transferred. */
  readonly links: readonly Link<I>[];
}

export interface TransferOnce extends Transfer {
  /** Items that became another name of a file. */
  readonly linked: number;
}

/** Transfers each of several twins once, and makes the others names of that file; a twin that is there is not transferred. */
export async function transferOnce<I extends Item>(input: TransferOnceInput<I>): Promise<TransferOnce> {
  const { copies, naming } = input;
  const planned = await link(input, input.links);
  const { first, later } = copies.split([...input.items, ...planned.left]);
  const sent = await transfer({ ...input, items: first });
  const twins = await link(
    input,
    later.flatMap((item): Link<I>[] => {
      const twin = copies.twinOf(item);
      return twin ? [{ from: twin.path, to: naming.path(item, twin), item, digest: twin.digest }] : [];
    }),
  );
  const linked = [...planned.made, ...twins.made];
  const isLinked = new Set(linked.map(({ item }) => item));
  const rest = await transfer({ ...input, items: later.filter((item) => !isLinked.has(item)) });
  const arrivedByLink = input.remember ? linked.map(({ to, digest }) => ({ path: to, digest })) : [];
  return {
    arrived: [...arrivedByLink, ...sent.arrived, ...rest.arrived],
    items: sent.items + rest.items,
    bytes: sent.bytes + rest.bytes,
    failedItems: new Set([...sent.failedItems, ...rest.failedItems]),
    unanswered: new Set([...sent.unanswered, ...rest.unanswered]),
    linked: linked.length,
  };
}

async function link<I extends Item>(
  { store, signal }: TransferOnceInput<I>,
  links: readonly Link<I>[],
): Promise<{ readonly made: readonly Link<I>[]; readonly left: readonly I[] }> {
  const isMade = links.length > 0 ? await store.link(links, signal) : [];
  return {
    made: links.filter((_link, at) => isMade[at]),
    left: links.filter((_link, at) => !isMade[at]).map(({ item }) => item),
  };
}
