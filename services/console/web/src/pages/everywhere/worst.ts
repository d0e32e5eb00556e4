// The worst of several tenants in one order, by the same rules as one fleet.

import type { ReadinessView } from "../../gen/muster/readiness/v1/readiness_pb.ts";
import { lightNow, order, type Row } from "../fleet/rows.ts";

/** The operating tenant has no fleet. */
export const OPERATING = "muster";
/** The API lists the worst first: what is beyond this in one tenant is seen there. */
export const WORST_OF_EACH = 25;
export const LOOK_EVERY_MS = 5_000;

export interface Place {
  tenant: string;
  answer: { resources: readonly ReadinessView[]; at: number } | undefined;
  failed: boolean;
}

export interface Placed extends Row {
  tenant: string;
}

/** Between equal ones, by tenant, so that nothing jumps. */
export function worst(places: readonly Place[], steadyNow: number): Placed[] {
  return places
    .flatMap(({ tenant, answer }) => (answer?.resources ?? []).map((view) => ({ tenant, view, at: answer?.at ?? 0, light: lightNow({ view, at: answer?.at ?? 0 }, steadyNow) })))
    .sort((a, b) => order(a, b) || a.tenant.localeCompare(b.tenant));
}
