// What waits for one person. The API decides who may do what; this only says where to look first.

import { Role } from "../../gen/muster/common/v1/common_pb.ts";
import { StepState } from "../../gen/muster/execution/v1/execution_pb.ts";
import { type Delegated, RequestState, type RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { may } from "../../api/person.ts";

/** What this person can do for this request now, in words; null when nothing. */
export function waitingFor(request: RequestView, me: string, roles: readonly Role[], now: number, delegations: readonly Delegated[] = []): string | null {
  return decision(request, me, roles, now) ?? forSomebodyAway(request, me, roles, now, delegations) ?? start(request, me, roles, now) ?? manualStep(request, roles) ?? review(request, me, roles);
}

/** Why the person cannot decide, or null when they can. */
export function cannotDecide(request: RequestView, me: string, roles: readonly Role[]): string | null {
  if (request.state !== RequestState.PENDING_APPROVAL) return "It does not wait for approvals any more.";
  if (request.opened?.requester?.id === me) return "You asked for it yourself: somebody else decides.";
  if (request.approvals.some((approval) => approval.approver?.id === me)) return "You have approved it already.";
  return openPlaces(request, roles) ? null : "The places of your role are filled. Another role is missing.";
}

/** The delegation by which this person can decide for somebody who is away, where their own roles do not suffice. */
export function delegationFor(request: RequestView, me: string, delegations: readonly Delegated[], now: number): Delegated | undefined {
  const seconds = now / 1000;
  return delegations.find(
    ({ to, from, role, starts, ends }) =>
      to === me &&
      from?.id !== request.opened?.requester?.id &&
      Number(starts?.seconds ?? 0n) <= seconds &&
      seconds < Number(ends?.seconds ?? 0n) &&
      cannotDecide(request, me, [role]) === null,
  );
}

/** Whether a place of the policy is open that one of these roles can fill. */
function openPlaces(request: RequestView, roles: readonly Role[]): boolean {
  const policy = request.opened?.policy;
  // Expressions name people and groups as well: the API knows.
  if (!policy || policy.expressions.length > 0) return true;
  return policy.require.some(
    ({ role, count }) => roles.includes(role) && request.approvals.filter((approval) => approval.asRole === role).length < Math.max(1, count),
  );
}

function lapsed(request: RequestView, now: number): boolean {
  const until = request.opened?.expiresAt;
  return until !== undefined && Number(until.seconds) * 1000 < now;
}

function decision(request: RequestView, me: string, roles: readonly Role[], now: number): string | null {
  if (!may(roles, "ApprovalService/ApproveRequest") || lapsed(request, now)) return null;
  return cannotDecide(request, me, roles) === null ? "Approve or deny" : null;
}

function forSomebodyAway(request: RequestView, me: string, roles: readonly Role[], now: number, delegations: readonly Delegated[]): string | null {
  if (!may(roles, "ApprovalService/ApproveRequest") || lapsed(request, now)) return null;
  const from = delegationFor(request, me, delegations, now)?.from;
  return from ? `Approve or deny for ${from.name || from.id}, who is away` : null;
}

function start(request: RequestView, me: string, roles: readonly Role[], now: number): string | null {
  if (request.state !== RequestState.APPROVED || !roles.includes(Role.OPERATOR) || lapsed(request, now)) return null;
  return request.opened?.requester?.id === me ? "Ready: start it" : "Ready to be started";
}

function manualStep(request: RequestView, roles: readonly Role[]): string | null {
  if (request.state !== RequestState.EXECUTING) return null;
  const waiting = request.execution?.steps.find((view) => view.state === StepState.WAITING && mayDo(view.step?.definition?.action?.kind, roles));
  return waiting ? `Manual step: ${waiting.step?.title ?? ""}` : null;
}

type ActionKind = NonNullable<NonNullable<NonNullable<RequestView["execution"]>["steps"][number]["step"]>["definition"]>["action"];

function mayDo(kind: NonNullable<ActionKind>["kind"] | undefined, roles: readonly Role[]): boolean {
  return kind?.case !== "manual" || kind.value.role === Role.UNSPECIFIED || roles.includes(kind.value.role);
}

function review(request: RequestView, me: string, roles: readonly Role[]): string | null {
  if (!request.confirmed?.breakGlass || request.review || !may(roles, "ApprovalService/ReviewBreakGlass")) return null;
  if (request.opened?.requester?.id === me || request.confirmed.actor?.id === me) return null;
  return request.reviewOverdue ? "Break-glass review, overdue" : "Break-glass review";
}
