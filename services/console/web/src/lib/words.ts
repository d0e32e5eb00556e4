// Enumerations of the API in words, and numbers with their units.

import { GapState, Severity as GapSeverity } from "../gen/muster/audit/v1/gap_pb.ts";
import { LossCertainty, Tier, Environment } from "../gen/muster/common/v1/common_pb.ts";
import { CheckOutcome, ExecutionState, StepState, Verdict } from "../gen/muster/execution/v1/execution_pb.ts";
import { DeliveryState } from "../gen/muster/notification/v1/notification_pb.ts";
import { PlanState, ProofState } from "../gen/muster/plan/v1/plan_pb.ts";
import { AlertKind, Severity } from "../gen/muster/readiness/v1/readiness_pb.ts";
import { Kind } from "../gen/muster/inventory/v1/inventory_pb.ts";
import { OccurrenceState } from "../gen/muster/schedule/v1/schedule_pb.ts";
import { GateLevel, RequestState, RequestType } from "../gen/muster/request/v1/request_pb.ts";

/** PENDING_APPROVAL as "pending approval". */
function word<E extends Record<string, string | number>>(kind: E) {
  return (value: number | undefined): string => {
    const name = value === undefined ? undefined : (kind as Record<number, string>)[value];
    return name === undefined || name === "UNSPECIFIED" ? "unknown" : name.toLowerCase().replaceAll("_", " ");
  };
}

export const requestType = word(RequestType);
export const requestState = word(RequestState);
export const executionState = word(ExecutionState);
export const stepState = word(StepState);
export const checkOutcome = word(CheckOutcome);
export const planState = word(PlanState);
export const proofState = word(ProofState);
export const alertKind = (kind: AlertKind): string => (kind === AlertKind.RPO_BREACH ? "RPO breach" : word(AlertKind)(kind));
export const severity = word(Severity);
export const gapSeverity = word(GapSeverity);
export const gapState = word(GapState);
export const environment = word(Environment);
export const deliveryState = word(DeliveryState);
export const occurrenceState = word(OccurrenceState);
export const kind = word(Kind);
export const lossCertainty = word(LossCertainty);

export function tier(value: Tier): string {
  return value === Tier.TIER_UNSPECIFIED ? "unknown" : `Tier ${value}`;
}

export function gateLevel(value: GateLevel): string {
  return value === GateLevel.UNSPECIFIED ? "unknown" : GateLevel[value];
}

export const verdict = (value: Verdict): string =>
  ({ [Verdict.GO]: "Go", [Verdict.CAUTION]: "Go, with care", [Verdict.NO_GO]: "No go", [Verdict.UNSPECIFIED]: "Unknown" })[value];

/** "built-in ADR-001, policy strict version 2": the name of the decision is for those who build Muster. */
export function policySource(source: string | undefined): string {
  return source?.replace("built-in ADR-001", "built-in rule") || "built-in rule";
}

/** Checks, or people around a table: such a run measures how long that took, and proves no objective. */
export function movesNothing(type: RequestType | undefined): boolean {
  return type === RequestType.READINESS_DRILL || type === RequestType.TABLETOP_DRILL;
}

/** As the API names types in plans and preflights: "isolated-drill". */
export function typeName(type: RequestType): string {
  return requestType(type).replaceAll(" ", "-");
}

export function bytes(count: bigint | undefined): string {
  if (count === undefined) return "unknown";
  if (count < 10_240n) return `${count} bytes`;
  if (count < 10_485_760n) return `${count / 1_024n} KiB`;
  return `${count / 1_048_576n} MiB`;
}

/** "1 tenant", "2 tenants". */
export function counted(count: number, one: string): string {
  return `${count} ${count === 1 ? one : `${one}s`}`;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
