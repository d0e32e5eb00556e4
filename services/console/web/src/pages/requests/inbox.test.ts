import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { Role } from "../../gen/muster/common/v1/common_pb.ts";
import { StepState } from "../../gen/muster/execution/v1/execution_pb.ts";
import { DelegatedSchema, RequestState, type RequestView, RequestViewSchema } from "../../gen/muster/request/v1/request_pb.ts";
import { cannotDecide, delegationFor, waitingFor } from "./inbox.ts";

const NOW = 1_790_000_000_000;
const TWO_ROLES = { source: "built-in", require: [{ role: Role.APPROVER_IT, count: 1 }, { role: Role.APPROVER_BUSINESS, count: 1 }] };

function request(change: object = {}): RequestView {
  return create(RequestViewSchema, {
    state: RequestState.PENDING_APPROVAL,
    opened: { requester: { id: "olga" }, policy: TWO_ROLES, expiresAt: timestampFromMs(NOW + 60_000) },
    ...change,
  } as MessageInitShape<typeof RequestViewSchema>);
}

describe("what waits for a person", () => {
  it("is the decision of an approver who is not the requester", () => {
    expect(waitingFor(request(), "ingo", [Role.APPROVER_IT], NOW)).toBe("Approve or deny");
    expect(waitingFor(request(), "olga", [Role.OPERATOR, Role.APPROVER_IT], NOW)).toBeNull();
    expect(waitingFor(request(), "vera", [Role.VIEWER], NOW)).toBeNull();
  });

  it("is not what one has done, nor a place that is filled", () => {
    const half = request({ approvals: [{ approver: { id: "ingo" }, asRole: Role.APPROVER_IT }] });
    expect(cannotDecide(half, "ingo", [Role.APPROVER_IT])).toMatch(/already/);
    expect(cannotDecide(half, "ina", [Role.APPROVER_IT])).toMatch(/filled/);
    expect(waitingFor(half, "bea", [Role.APPROVER_BUSINESS], NOW)).toBe("Approve or deny");
  });

  it("is nothing once the request has lapsed", () => {
    expect(waitingFor(request(), "ingo", [Role.APPROVER_IT], NOW + 120_000)).toBeNull();
  });

  it("is the start, for operators", () => {
    const ready = request({ state: RequestState.APPROVED });
    expect(waitingFor(ready, "olga", [Role.OPERATOR], NOW)).toBe("Ready: start it");
    expect(waitingFor(ready, "ada", [Role.ADMIN], NOW)).toBeNull();
  });

  it("is a manual step of one's own role", () => {
    const manual = { action: { kind: { case: "manual" as const, value: { role: Role.APPROVER_BUSINESS } } } };
    const step = { title: "Call the bank", definition: manual };
    const running = request({ state: RequestState.EXECUTING, execution: { steps: [{ state: StepState.WAITING, step }] } });
    expect(waitingFor(running, "bea", [Role.APPROVER_BUSINESS], NOW)).toBe("Manual step: Call the bank");
    expect(waitingFor(running, "ingo", [Role.APPROVER_IT], NOW)).toBeNull();
  });

  it("is the review of a broken glass, by somebody else", () => {
    const broken = request({ state: RequestState.SUCCEEDED, confirmed: { breakGlass: true, actor: { id: "olga" } } });
    expect(waitingFor(broken, "ingo", [Role.APPROVER_IT], NOW)).toBe("Break-glass review");
    expect(waitingFor(broken, "olga", [Role.OPERATOR, Role.ADMIN], NOW)).toBeNull();
  });
});

describe("deciding for somebody who is away", () => {
  const away = (change: object = {}) =>
    create(DelegatedSchema, {
      from: { id: "bea" },
      to: "ingo",
      role: Role.APPROVER_BUSINESS,
      starts: timestampFromMs(NOW - 60_000),
      ends: timestampFromMs(NOW + 60_000),
      ...change,
    } as MessageInitShape<typeof DelegatedSchema>);

  it("waits for the deputy, too", () => {
    const roles = [Role.APPROVER_IT];
    const byIt = request({ approvals: [{ approver: { id: "ina" }, asRole: Role.APPROVER_IT }] });
    expect(waitingFor(byIt, "ingo", roles, NOW)).toBeNull();
    expect(waitingFor(byIt, "ingo", roles, NOW, [away({ from: { id: "bea", name: "Bea" } })])).toBe("Approve or deny for Bea, who is away");
    expect(waitingFor(byIt, "ina", roles, NOW, [away({ to: "ina" })])).toBeNull();
  });

  it("is possible for a place that the delegated role fills", () => {
    expect(delegationFor(request(), "ingo", [away()], NOW)?.from?.id).toBe("bea");
  });

  it("is not, for others, at other times, or for the requester's own place", () => {
    expect(delegationFor(request(), "ina", [away()], NOW)).toBeUndefined();
    expect(delegationFor(request(), "ingo", [away()], NOW + 120_000)).toBeUndefined();
    expect(delegationFor(request(), "ingo", [away({ from: { id: "olga" } })], NOW)).toBeUndefined();
    expect(delegationFor(request({ approvals: [{ approver: { id: "ingo" }, asRole: Role.APPROVER_IT }] }), "ingo", [away()], NOW)).toBeUndefined();
  });
});
