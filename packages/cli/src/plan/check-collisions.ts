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
  const before = new Earlier();
  return claims.flatMap((claim) => {
    const one = { ...claim, place: placeOf(claim.destination) };
    const problems = [...destinationProblem(source, before, one), ...nameProblem(source, before, one)];
    before.add(one);
    return problems;
  });
}

/** Claims above the one that is looked at: of each kind the first. There may be a hundred thousand of them. */
class Earlier {
  readonly #byPlace = new Map<string, Placed>();
  readonly #byName = new Map<string, Placed>();
  /** By the places that they are within. */
  readonly #inside = new Map<string, Placed>();

  add(one: Placed): void {
    const { place, name } = one;
    if (!this.#byPlace.has(place)) this.#byPlace.set(place, one);
    if (name !== undefined && !this.#byName.has(name)) this.#byName.set(name, one);
    for (const outer of placesAround(place)) if (!this.#inside.has(outer)) this.#inside.set(outer, one);
  }

  at(place: string): Placed | undefined {
    return this.#byPlace.get(place);
  }

  named(name: string | undefined): Placed | undefined {
    return name === undefined ? undefined : this.#byName.get(name);
  }

  around(place: string): Placed | undefined {
    return first(placesAround(place).flatMap((outer) => this.#byPlace.get(outer) ?? []));
  }

  within(place: string): Placed | undefined {
    return this.#inside.get(place);
  }
}

function destinationProblem(source: PlanSource, before: Earlier, one: Placed): readonly Problem[] {
  const at = ({ index }: Claim) => source.position(["actions", index, "destination"], "value");
  const same = before.at(one.place);
  if (same) return [{ position: at(one), text: `line ${at(same).line} has this destination too; give each its own` }];
  const [outer, inner] = [before.around(one.place), before.within(one.place)];
  const near = first([outer ?? [], inner ?? []].flat());
  if (!near) return [];
  const [low, high] = near === outer ? [one, near] : [near, one];
  const text = `this destination is within that of line ${at(high).line}; put it beside it`;
  return [{ position: at(low), text }];
}

function nameProblem(source: PlanSource, before: Earlier, { index, name, place }: Placed): readonly Problem[] {
  const at = (action: number) => source.position(["actions", action, "name"], "value");
  const same = before.named(name);
  // A name that is made of the destination says nothing new.
  if (!same || same.place === place) return [];
  return [{ position: at(index), text: `line ${at(same.index).line} has this name too; give each its own` }];
}

function first(claims: readonly Placed[]): Placed | undefined {
  return claims.reduce<Placed | undefined>((best, one) => (best && best.index < one.index ? best : one), undefined);
}

/** Every place that this one would be within, as far as their texts tell. */
function placesAround(place: string): readonly string[] {
  const around: string[] = [];
  const top = /^[^/]*:(?!\/)/.exec(place)?.[0];
  for (let end = place.lastIndexOf("/"); end > 0; end = place.lastIndexOf("/", end - 1)) {
    around.push(place.slice(0, end));
    if (place.slice(0, end).endsWith(":")) around.push(place.slice(0, end + 1));
  }
  if (place.startsWith("/") && place !== "/") around.push("/");
  // A home directory on another host: what is relative is in it.
  const rest = top === undefined ? undefined : place.slice(top.length);
  if (rest !== undefined && rest !== "." && !/^\.\.(?:\/|$)/.test(rest)) around.push(`${top}.`);
  return around;
}
