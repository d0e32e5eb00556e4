// What the fleet shows: one row for each resource, its light, its order, and what the filters leave of it.

import { Status, type ReadinessView } from "../../gen/muster/readiness/v1/readiness_pb.ts";
import { Environment, Tier } from "../../gen/muster/common/v1/common_pb.ts";
import type { Tone } from "../../ui/light.tsx";
import { milliseconds } from "../../lib/time.ts";
import { listOf } from "../../lib/address.ts";
import { environment } from "../../lib/words.ts";

export const LIGHTS = ["red", "unknown", "yellow", "green"] as const;
export type Lit = (typeof LIGHTS)[number];

/** A view and when it came, by this device's steady clock. */
export interface Seen {
  view: ReadinessView;
  at: number;
}

export function lightOf(status: Status | undefined): Lit {
  if (status === Status.GREEN) return "green";
  if (status === Status.YELLOW) return "yellow";
  if (status === Status.RED) return "red";
  return "unknown";
}

export const LIGHT_WORDS: Record<Lit, string> = { red: "Red", unknown: "Unknown", yellow: "Yellow", green: "Green" };
export const lightTone = (light: Lit): Tone => light;

/** Age of the newest look now: what the server told, and the time that has passed since. */
export function ageOf({ view, at }: Seen, steadyNow: number): number | undefined {
  const told = milliseconds(view.freshness);
  return told === undefined ? undefined : told + Math.max(0, steadyNow - at);
}

export function isFresh(seen: Seen, steadyNow: number): boolean {
  const age = ageOf(seen, steadyNow);
  const limit = milliseconds(seen.view.thresholds?.staleAfter);
  return age !== undefined && limit !== undefined && age <= limit;
}

/**
 * The light as it may be shown now. What came some time ago and was not renewed is not known any more, whatever it said:
 * a green from before a lost connection is no green.
 */
export function lightNow(seen: Seen, steadyNow: number): Lit {
  const told = lightOf(seen.view.assessment?.status);
  return told !== "red" && outlived(seen, steadyNow) ? "unknown" : told;
}

/** It was fresh when it was told, and is not any more. */
export function outlived(seen: Seen, steadyNow: number): boolean {
  return isFresh(seen, seen.at) && !isFresh(seen, steadyNow);
}

/** A row with the light it has now. */
export interface Row extends Seen {
  light: Lit;
}

/** Worst first, then the most critical, then by name. The same order as the API's. */
export function order(a: Row, b: Row): number {
  const critical = ({ view }: Row) => (view.tier === Tier.TIER_UNSPECIFIED ? 9 : view.tier);
  const [first, second] = [a.view.resource, b.view.resource];
  return LIGHTS.indexOf(a.light) - LIGHTS.indexOf(b.light) || critical(a) - critical(b) || (first < second ? -1 : first > second ? 1 : 0);
}

export function rowsOf(seen: ReadonlyMap<string, Seen>, steadyNow: number): Row[] {
  return [...seen.values()].map((one) => ({ ...one, light: lightNow(one, steadyNow) })).sort(order);
}

export const FILTERS = ["q", "status", "tier", "site", "env"] as const;
export type Filters = Record<(typeof FILTERS)[number], string>;

export function matches(row: Row, filters: Filters): boolean {
  const lights = listOf(filters.status);
  return (lights.size === 0 || lights.has(row.light)) && matchesBesideLight(row.view, filters);
}

export function matchesBesideLight(view: ReadinessView, filters: Filters): boolean {
  if (filters.tier && String(view.tier) !== filters.tier) return false;
  if (filters.site && view.activeSite !== filters.site) return false;
  if (filters.env && environment(view.environment) !== filters.env) return false;
  const words = filters.q.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const reasons = view.assessment?.reasons.map((reason) => `${reason.code} ${reason.text}`).join(" ") ?? "";
  const text = `${view.resource} ${view.displayName} ${view.owner} ${reasons}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

/** How many of each light, of those that the other filters leave. */
export function counts(rows: readonly Row[], filters: Filters): Record<Lit, number> {
  const found = { red: 0, unknown: 0, yellow: 0, green: 0 };
  for (const row of rows) if (matchesBesideLight(row.view, filters)) found[row.light] += 1;
  return found;
}

/** The first reason is the one that forces the status. */
export function why(view: ReadinessView): string {
  const reasons = view.assessment?.reasons ?? [];
  return reasons.length === 0 ? "No observation yet." : reasons.map((reason) => reason.text).join(" ");
}

export const ENVIRONMENTS = [Environment.PRODUCTION, Environment.STAGING, Environment.TEST, Environment.DEVELOPMENT].map(environment);
