import { type CST, Composer, type Document, LineCounter, type Node, Parser, isAlias, visit } from "yaml";
import { type Path, isMergeKey, nodeOffset, startOf } from "./node-offset.js";
import { type Position, type Problem, planInvalid } from "./problem.js";
import { yamlProblem } from "./yaml-problem.js";

/** A file as it was read, and where in it everything is. */
export interface PlanSource {
  readonly value: unknown;
  position(path: Path, of: "key" | "value"): Position;
}

interface Flaw {
  readonly offset: number;
  readonly text: string;
}

/** How often what an anchor holds may come again: enough for a merge into every action, too few for a bomb. */
const MOST_ALIASES = 10_000;
/** Levels of lists and mappings; a plan has six. */
const DEEPEST = 40;
const MOST_LINES = 5;

/** Reads YAML 1.2 with merge keys. @throws BackupError PLAN_INVALID */
export function parseSource(file: string, text: string): PlanSource {
  // From the text: what the parser counts itself is wrong behind some errors.
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (const { index } of text.matchAll(/\n/g)) lines.addNewLine(index + 1);
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const refuse = (flaws: readonly Flaw[]): never => {
    const problems = flaws.map(({ offset, text: said }) => ({ position: at(offset), text: said }));
    throw planInvalid(file, firstOfLines(problems));
  };
  const tokens = [...new Parser().parse(text)];
  // The library goes down by calling itself, and Node.js may crash at the end of its stack.
  const deep = tooDeep(tokens);
  if (deep !== undefined) return refuse([{ offset: deep, text: yamlProblem({ code: "RESOURCE_EXHAUSTION" }) }]);
  const composer = new Composer({ logLevel: "error", stringKeys: true, merge: true, resolveKnownTags: false });
  const [document, second] = composer.compose(tokens, true, text.length);
  if (!document) throw new Error("no document was made of the tokens");
  const flaws = [...document.errors, ...document.warnings].map((error) => ({
    offset: error.pos[0],
    text: yamlProblem(error),
  }));
  if (second) flaws.push({ offset: second.range[0], text: yamlProblem({ code: "MULTIPLE_DOCS" }) });
  if (flaws.length > 0) return refuse(flaws);
  const wrong = wrongAlias(document);
  if (wrong) return refuse([wrong]);
  try {
    const value: unknown = document.toJS({ maxAliasCount: MOST_ALIASES });
    return { value, position: (path, of) => at(nodeOffset(document, path, of)) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // It says this of the file, and not where.
    const what = error instanceof ReferenceError ? TOO_MUCH : "<< takes a mapping, mostly an alias (*name) of one";
    return refuse([{ offset: firstAlias(document), text: what }]);
  }
}

const TOO_MUCH = "aliases (*name) stand for too much";

/** One mistake makes many of what follows it: only the first lines tell something, and what is first in them. */
function firstOfLines(problems: readonly Problem[]): readonly Problem[] {
  const byLine = new Map<number, Problem>();
  for (const problem of problems) if (!byLine.has(problem.position.line)) byLine.set(problem.position.line, problem);
  return [...byLine.values()].slice(0, MOST_LINES);
}

/** Where it is deeper than any plan. */
function tooDeep(tokens: readonly CST.Token[]): number | undefined {
  let level = tokens;
  for (let depth = 0; depth <= DEEPEST; depth++) level = level.flatMap(childrenOf);
  return level[0]?.offset;
}

function childrenOf(token: CST.Token): readonly CST.Token[] {
  if (token.type === "document") return token.value ? [token.value] : [];
  if (!("items" in token)) return [];
  return token.items.flatMap(({ key, value }) => [key ?? [], value ?? []].flat());
}

/** An alias of nothing, or of what it is in. */
function wrongAlias(document: Document): Flaw | undefined {
  const anchors = new Map<string, Node>();
  let wrong: Flaw | undefined;
  visit(document, {
    Node(_key, node, path) {
      if (!isAlias(node)) {
        if (node.anchor !== undefined) anchors.set(node.anchor, node);
        return undefined;
      }
      const anchor = anchors.get(node.source);
      const offset = startOf(node) ?? 0;
      if (!anchor)
        wrong = {
          offset,
          text: "no anchor (&name) of this name stands above; a text that begins with * belongs in quotes",
        };
      else if (path.includes(anchor)) wrong = { offset, text: "an alias (*name) stands for what it is in" };
      return wrong && visit.BREAK;
    },
  });
  return wrong;
}

/** Where the first alias or merge key is. */
function firstAlias(document: Document): number {
  let first: number | undefined;
  visit(document, {
    Pair: (_key, { key }) => (isMergeKey(key) ? void (first ??= startOf(key)) : undefined),
    Alias: (_key, alias) => void (first ??= startOf(alias)),
  });
  return first ?? 0;
}
