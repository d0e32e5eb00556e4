// When a delegation holds, and who may give or end one.

import { Role } from "../../gen/muster/common/v1/common_pb.ts";
import type { Delegated } from "../../gen/muster/request/v1/request_pb.ts";
import { instant } from "../../lib/time.ts";

export type Holds = "now" | "later" | "over";

export function holds({ starts, ends }: Delegated, now: number): Holds {
  if ((instant(ends) ?? 0) <= now) return "over";
  return (instant(starts) ?? 0) <= now ? "now" : "later";
}

/** Only roles that decide are delegated. */
export const DELEGABLE: readonly Role[] = [Role.APPROVER_IT, Role.APPROVER_BUSINESS];

/** One of its two people ends it, or an admin. */
export function mayEnd(delegation: Delegated, me: string, roles: readonly Role[]): boolean {
  return delegation.from?.id === me || delegation.to === me || roles.includes(Role.ADMIN);
}

export interface Draft {
  to: string;
  starts: string;
  ends: string;
}

/** What is wrong in the form, in words; null when it can be sent. */
export function holdUp({ to, starts, ends }: Draft, me: string, now: number): string | null {
  if (!to.trim()) return "Choose who acts for you.";
  if (to.trim() === me) return "That is you.";
  const [first, last] = [starts ? new Date(starts).getTime() : now, new Date(ends).getTime()];
  if (Number.isNaN(first)) return "The beginning is not a time.";
  if (!ends || Number.isNaN(last)) return "Say when it ends.";
  return last <= Math.max(first, now) ? "It ends before it begins." : null;
}
