import { placeOf } from "../turns.js";
import type { Problem } from "./problem.js";
import type { PlanSource } from "./source.js";

/** What must be an action's own. */
export interface Claim {
  /** Of the action. */
  readonly index: number;
  readonly destination: string;
  /** Undefined: not known, because something else is wrong with it. */
  readonly name: string | undefined;
}

interface Placed extends Claim {
  readonly place: string;
}

/** Destinations and names that two actions share, and destinations within others. */
export function collisions(source: PlanSource, claims: readonly Claim[]): readonly Problem[] {
  const placed = claims.map((claim) => ({ ...claim, place: placeOf(claim.destination) }));
  return placed.flatMap((one, at) => {
    const before = placed.slice(0, at);
    return [...destinationProblem(source, before, one), ...nameProblem(source, before, one)];
  });
}

function destinationProblem(source: PlanSource, before: readonly Placed[], one: Placed): readonly Problem[] {
  const at = ({ index }: Claim) => source.position(["actions", index, "destination"], "value");
  const same = before.find(({ place }) => place === one.place);
  if (same) return [{ position: at(one), text: `line ${at(same).line} has this destination too; give each its own` }];
  const near = before.find(({ place }) => isWithin(place, one.place) || isWithin(one.place, place));
  if (!near) return [];
  const [inner, outer] = isWithin(one.place, near.place) ? [one, near] : [near, one];
  const text = `this destination is within that of line ${at(outer).line}; put it beside it`;
  return [{ position: at(inner), text }];
}

function nameProblem(
  source: PlanSource,
  before: readonly Placed[],
  { index, name, place }: Placed,
): readonly Problem[] {
  const at = (action: number) => source.position(["actions", action, "name"], "value");
  const same = name === undefined ? undefined : before.find((other) => other.name === name);
  // A name that is made of the destination says nothing new.
  if (!same || same.place === place) return [];
  return [{ position: at(index), text: `line ${at(same.index).line} has this name too; give each its own` }];
}

/** As far as their texts tell. */
function isWithin(inner: string, outer: string): boolean {
  if (inner === outer) return false;
  // A home directory on another host: what is relative is in it.
  const home = /^[^/]*:(?=\.$)/.exec(outer)?.[0];
  if (home !== undefined) return inner.startsWith(home) && !/^(?:\/|\.\.(?:\/|$))/.test(inner.slice(home.length));
  return inner.startsWith(outer.endsWith("/") ? outer : `${outer}/`);
}
