import { type Document, type Node, type Pair, type YAMLMap, isAlias, isMap, isNode, isScalar, isSeq } from "yaml";

/** Keys and indices from the top of a file. */
export type Path = readonly (string | number)[];

/**
 * Where in the text the value at a path begins, or the key before it; where there is no such thing, what is nearest
 * above. What an alias or a merge key brings is found at its anchor.
 */
export function nodeOffset(document: Document, path: Path, of: "key" | "value"): number {
  let node: unknown = document.contents;
  let key: unknown;
  for (const step of path) {
    const inside = resolveIn(document, node);
    if (isMap(inside)) {
      const pair = pairOf(document, inside, String(step));
      if (!pair) break;
      ({ key, value: node } = pair);
    } else if (isSeq(inside) && Number(step) in inside.items) {
      key = undefined;
      node = inside.items[Number(step)];
    } else break;
  }
  // An empty value is nowhere: its key is what a person sees.
  const isEmpty = !isNode(node) || (isScalar(node) && node.value === null);
  const before = of === "key" || isEmpty ? startOf(key) : undefined;
  return before ?? startOf(node) ?? 0;
}

export function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.value === "<<";
}

/** Where in the text a node begins. */
export function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

/** Its own, or one that is merged into it. */
function pairOf(document: Document, map: YAMLMap, name: string): Pair | undefined {
  const own = map.items.find(({ key }) => isScalar(key) && key.value === name);
  if (own) return own;
  for (const { value } of map.items.filter(({ key }) => isMergeKey(key))) {
    const resolved = resolveIn(document, value);
    for (const source of isSeq(resolved) ? resolved.items : [resolved]) {
      const merged = resolveIn(document, source);
      const found = isMap(merged) ? pairOf(document, merged, name) : undefined;
      if (found) return found;
    }
  }
  return undefined;
}

function resolveIn(document: Document, node: unknown): Node | undefined {
  if (isAlias(node)) return node.resolve(document);
  return isNode(node) ? node : undefined;
}
