import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { GapSchema, GapState, Severity } from "../../gen/muster/audit/v1/gap_pb.ts";
import { RequestState, RequestType, RequestViewSchema } from "../../gen/muster/request/v1/request_pb.ts";
import { cannotEnd, cannotPlan, cannotReopen, dateHold, evidenceFor, needsEvidence, standing } from "./terms.ts";

const NOW = Date.UTC(2026, 10, 22, 12);
const at = (ms: number) => timestampFromMs(NOW + ms);
const HOUR = 3_600_000;
const gap = (init: MessageInitShape<typeof GapSchema>) => create(GapSchema, { state: GapState.OPEN, ...init });

function run(type: RequestType, state: RequestState, began: number, ended: number) {
  const finished = { finishedAt: at(ended) };
  const end = state === RequestState.SUCCEEDED ? { succeeded: finished } : { failed: finished };
  return create(RequestViewSchema, { requestId: `${began}`, state, opened: { type }, execution: { started: { startedAt: at(began) }, ...end } });
}

describe("who ends a gap", () => {
  it("is somebody else where its severity is high, and anybody with the role elsewhere", () => {
    const mine = (severity: Severity) => gap({ opened: { severity, openedBy: { id: "me" } } });
    expect(cannotEnd(mine(Severity.HIGH), "me")).toMatch(/somebody else/);
    expect(cannotEnd(mine(Severity.HIGH), "you")).toBeNull();
    expect(cannotEnd(mine(Severity.MODERATE), "me")).toBeNull();
    expect(cannotEnd(gap({ opened: { severity: Severity.HIGH } }), "me")).toBeNull();
    expect(cannotEnd(gap({ state: GapState.CLOSED }), "me")).toBe("It is closed.");
  });

  it("is done with it once it is closed, until it is opened again", () => {
    expect(cannotPlan(gap({ state: GapState.CLOSED }))).toMatch(/again first/);
    expect(cannotPlan(gap({ state: GapState.ACCEPTED }))).toBeNull();
    expect([GapState.OPEN, GapState.PLANNED, GapState.ACCEPTED, GapState.CLOSED].map((state) => cannotReopen(gap({ state })) === null)).toEqual([false, true, true, true]);
  });
});

describe("what shows that it is mended", () => {
  it("is asked for where a run showed it", () => {
    expect(["drill failed", "run failed", "objective missed"].map((source) => needsEvidence(gap({ opened: { source } })))).toEqual([true, true, true]);
    expect(["person", "audit", "review overdue", ""].map((source) => needsEvidence(gap({ opened: { source } })))).toEqual([false, false, false, false]);
  });

  it("is a run of the same kind that succeeded, begun after the one that showed it had ended", () => {
    const showed = run(RequestType.ISOLATED_DRILL, RequestState.FAILED, 0, HOUR);
    const later = run(RequestType.ISOLATED_DRILL, RequestState.SUCCEEDED, 2 * HOUR, 3 * HOUR);
    const others = [
      run(RequestType.ISOLATED_DRILL, RequestState.SUCCEEDED, HOUR, 2 * HOUR),
      run(RequestType.READINESS_DRILL, RequestState.SUCCEEDED, 2 * HOUR, 3 * HOUR),
      run(RequestType.ISOLATED_DRILL, RequestState.FAILED, 2 * HOUR, 3 * HOUR),
      create(RequestViewSchema, { state: RequestState.SUCCEEDED, opened: { type: RequestType.ISOLATED_DRILL } }),
    ];
    expect(evidenceFor(showed, [...others, later])).toEqual([later]);
    expect(evidenceFor(undefined, [later])).toEqual([]);
    // When the run that showed it ended is not known: nothing is later.
    expect(evidenceFor(create(RequestViewSchema, { opened: { type: RequestType.ISOLATED_DRILL } }), [later])).toEqual([]);
  });
});

describe("a date", () => {
  it("lies ahead, and not too far", () => {
    const local = (ms: number) => new Date(NOW + ms - new Date(NOW).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
    expect(dateHold("", 10, NOW)).toBe("A date is needed.");
    expect(dateHold(local(-HOUR), 10, NOW)).toMatch(/past/);
    expect(dateHold(local(HOUR), 10, NOW)).toBeNull();
    expect(dateHold(local(11 * 24 * HOUR), 10, NOW)).toMatch(/more than 10 days/);
  });
});

describe("how it stands", () => {
  it("is overdue before it is planned, and as bad as its severity while nobody does anything", () => {
    expect(standing(gap({ state: GapState.PLANNED, overdue: true }))).toEqual({ word: "Overdue", tone: "red" });
    expect(standing(gap({ state: GapState.PLANNED })).word).toBe("Planned");
    expect(standing(gap({ opened: { severity: Severity.HIGH } }))).toEqual({ word: "Open", tone: "red" });
    expect(standing(gap({ opened: { severity: Severity.LOW } }))).toEqual({ word: "Open", tone: "neutral" });
    expect(standing(gap({}))).toEqual({ word: "Open", tone: "unknown" });
  });
});
