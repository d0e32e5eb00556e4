// Who answers for an open alert, and whether it may be silenced. The API decides; this only says it beforehand.

import { Environment, Tier } from "../../gen/muster/common/v1/common_pb.ts";
import type { EscalationView } from "../../gen/muster/notification/v1/notification_pb.ts";
import { AlertKind, type AlertView } from "../../gen/muster/readiness/v1/readiness_pb.ts";
import { instant } from "../../lib/time.ts";

export type Answered = "nobody" | "acknowledged" | "silenced" | "ended";

export function answered(escalation: EscalationView | undefined, now: number): Answered {
  if (!escalation) return "nobody";
  if (escalation.endedAt) return "ended";
  if (escalation.acknowledged) return "acknowledged";
  const until = instant(escalation.silenced?.until);
  return until !== undefined && until > now ? "silenced" : "nobody";
}

/** Why it cannot be silenced; null when it can. */
export function cannotSilence(alert: AlertView): string | null {
  if (alert.resolvedAt) return "It is over.";
  const breach = alert.kind === AlertKind.RPO_BREACH && alert.tier === Tier.TIER_1 && alert.environment === Environment.PRODUCTION;
  return breach ? "A tier 1 breach in production is not silenced. Acknowledge it." : null;
}

/** Why there is nothing to acknowledge; null when there is. */
export function cannotAcknowledge(alert: AlertView, escalation: EscalationView | undefined): string | null {
  if (alert.resolvedAt) return "It is over.";
  return escalation?.acknowledged ? `${escalation.acknowledged.by?.name || escalation.acknowledged.by?.id} looks after it already.` : null;
}

/** Why nobody further can be called; null when somebody can. */
export function cannotEscalate(alert: AlertView, escalation: EscalationView | undefined): string | null {
  if (alert.resolvedAt) return "It is over.";
  if (escalation && escalation.callableRoutes.length > 0) return null;
  return escalation && escalation.step > 0 ? "Everybody in its chain was called." : "No policy says whom to call next for it.";
}

export const SILENCES = [
  { word: "30 minutes", ms: 30 * 60_000 },
  { word: "1 hour", ms: 3_600_000 },
  { word: "4 hours", ms: 4 * 3_600_000 },
  { word: "24 hours", ms: 24 * 3_600_000 },
] as const;
