import type { YAMLError } from "yaml";

/**
 * What a person is told of an error of syntax. The library's own texts quote the file, and what is quoted may be a
 * secret that somebody wrote there.
 */
export function yamlProblem({ code }: Pick<YAMLError, "code">): string {
  return TEXTS[code];
}

const UNKNOWN_TAG = "tags are not known here; a text that begins with ! belongs in quotes";
const ONE_ANCHOR = "an anchor (&name) or a tag is one too many here";

const TEXTS: Readonly<Record<YAMLError["code"], string>> = {
  ALIAS_PROPS: "an alias (*name) takes no anchor and no tag",
  BAD_ALIAS: "an anchor or alias without a name; a text that begins with * or & belongs in quotes",
  BAD_COLLECTION_TYPE: UNKNOWN_TAG,
  BAD_DIRECTIVE: "a line that begins with % is a directive, and a plan needs none",
  BAD_DQ_ESCAPE: "there is no such escape in double quotes; write the text in single quotes",
  BAD_INDENT: "the indentation does not fit the lines above",
  BAD_PROP_ORDER: ONE_ANCHOR,
  BAD_SCALAR_START: "a text cannot begin with this character; put it in quotes",
  BLOCK_AS_IMPLICIT_KEY:
    "a second key or a list cannot begin on this line; put it on the next one, or the text in quotes",
  BLOCK_IN_FLOW: "within brackets everything is written with brackets and commas",
  DUPLICATE_KEY: "this key stands here twice; leave one of them out",
  IMPOSSIBLE: "this is no YAML",
  KEY_OVER_1024_CHARS: "a key is too long; is a colon, a quote or a bracket missing?",
  MISSING_CHAR: "something is missing: a colon with a blank after it, a comma, a quote or a bracket",
  MULTILINE_IMPLICIT_KEY: "this is no 'key: value'; is a colon with a blank after it missing?",
  MULTIPLE_ANCHORS: ONE_ANCHOR,
  MULTIPLE_DOCS: "a second document begins here; a plan is one file with one document",
  MULTIPLE_TAGS: ONE_ANCHOR,
  NON_STRING_KEY: "a key is a plain word",
  RESOURCE_EXHAUSTION: "it is nested too deeply to be a plan",
  TAB_AS_INDENT: "a tab in the indentation; YAML takes blanks only",
  TAG_RESOLVE_FAILED: UNKNOWN_TAG,
  UNEXPECTED_TOKEN: "this does not belong here; is a quote, a bracket or a blank missing, or one too many?",
};
