/** A word of a command line, by its place; a key of an action in a plan. `dest` is the destination, always. */
export interface Positional {
  /** In lower case; shown in upper case. */
  readonly name: string;
  /** One line. */
  readonly describe: string;
  readonly isOptional?: boolean;
  /** The last one, which takes all that follow: a list. */
  readonly isMany?: boolean;
  readonly choices?: readonly string[];
}

/** An option by its name, without dashes: `--NAME` of a command, and a key of the same name in a plan. */
export interface PluginOption {
  readonly type: "string" | "number" | "boolean";
  /** One line, for help, manual and plan. Names the default where it is no plain value. */
  readonly describe: string;
  /** May be given more than once: its value is a list, which is empty where it is not given. */
  readonly array?: boolean;
  /** Those that it takes. */
  readonly choices?: readonly string[];
  /** A boolean that is not given is false; with null it is undefined, so that a plugin sees that it was not given. */
  readonly default?: string | number | boolean | null;
  /** Names a file with a secret: in a plan it may be a variable or a command instead, and is never the secret itself. */
  readonly isSecret?: boolean;
  /** Of a plan: a regular expression that its text is to match, and what is said of one that does not: `takes an address`. */
  readonly pattern?: string;
  readonly takes?: string;
  /** Of a notifier: it is turned on only where this is given. */
  readonly isRequired?: boolean;
  /** Of a notifier: the variable that gives it. Default: NAME_OPTION. */
  readonly variable?: string;
}

export type PluginOptions = Readonly<Record<string, PluginOption>>;

/** A command line, and what it does. */
export type Example = readonly [command: string, text: string];

/** `exclude-folder` as a program writes it: `excludeFolder`. */
export type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

type ChosenOf<Described> = Described extends { readonly choices: readonly (infer Choice)[] } ? Choice : string;

type WordValue<Word extends Positional> = Word extends { readonly isMany: true }
  ? readonly ChosenOf<Word>[]
  : ChosenOf<Word>;

type SingleValue<Option extends PluginOption> = Option["type"] extends "boolean"
  ? boolean
  : Option["type"] extends "number"
    ? number
    : ChosenOf<Option>;

type OptionValue<Option extends PluginOption> = Option extends { readonly array: true }
  ? readonly SingleValue<Option>[]
  : SingleValue<Option>;

/** Words that need not be given. */
type Spared<Word extends Positional> = Word extends { readonly isOptional: true } ? Word["name"] : never;

/** Names of options that always have a value: lists, switches, and what has a default. */
type Settled<Options extends PluginOptions> = {
  [Name in keyof Options & string]: Options[Name] extends { readonly default: null }
    ? never
    : Options[Name] extends
          | { readonly array: true }
          | { readonly type: "boolean" }
          | { readonly default: string | number | boolean }
      ? Name
      : never;
}[keyof Options & string];

/** What a plugin gets of a command line or of a plan: each word by its name, each option by its name in camel case. */
export type Arguments<Words extends readonly Positional[], Options extends PluginOptions> = {
  readonly [Word in Words[number] as Exclude<Word["name"], Spared<Word>>]: WordValue<Word>;
} & {
  readonly [Word in Words[number] as Spared<Word>]?: WordValue<Word> | undefined;
} & {
  readonly [Name in Settled<Options> as CamelCase<Name>]: OptionValue<Options[Name]>;
} & {
  readonly [Name in Exclude<keyof Options & string, Settled<Options>> as CamelCase<Name>]?:
    | OptionValue<Options[Name]>
    | undefined;
};

/** `exclude-folder` as a program writes it: `excludeFolder`. */
export function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase());
}
