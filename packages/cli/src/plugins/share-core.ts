import nodeModule from "node:module";

/** Node.js' hooks of 22.15 and later, which its types for 20 do not have; see nodejs.org/api/module.html. */
interface Hooks {
  readonly registerHooks?: (hooks: {
    readonly resolve: (
      specifier: string,
      context: object,
      next: (specifier: string, context: object) => object,
    ) => object;
  }) => void;
}

/** A module of hooks for a Node.js that wants them in a thread of their own: the same as below. */
const HOOKS = `let parentURL;
export async function initialize(url) { parentURL = url; }
export async function resolve(specifier, context, next) {
  return next(specifier, /^@backup\\/core(?:\\/|$)/.test(specifier) ? { ...context, parentURL } : context);
}`;

/**
 * From now on whoever imports `@backup/core` gets the one that this program has: a plugin may be a file anywhere, with no
 * packages beside it, and is to work with the same classes.
 */
export function shareCore(): void {
  const parentURL = import.meta.url;
  const { registerHooks } = nodeModule as Hooks;
  if (!registerHooks)
    return nodeModule.register(`data:text/javascript,${encodeURIComponent(HOOKS)}`, { parentURL, data: parentURL });
  registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, /^@backup\/core(?:\/|$)/.test(specifier) ? { ...context, parentURL } : context),
  });
}
