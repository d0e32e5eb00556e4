import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { AuditRecordSchema } from "../../gen/muster/audit/v1/audit_pb.ts";
import { RequestViewSchema } from "../../gen/muster/request/v1/request_pb.ts";
import { cannotReview, reviewsOf } from "./reviewers.ts";

const record = (payload: object | string, sequence = 1n) => create(AuditRecordSchema, { sequence, payloadJson: typeof payload === "string" ? payload : JSON.stringify(payload) });
const byIngo = record({ drill: { requestId: "r", accepted: true, note: "as planned", reviewer: { id: "ingo" } } });

describe("who reviews a run", () => {
  const run = create(RequestViewSchema, { confirmed: { actor: { id: "olga" } }, execution: { manualDecisions: [{ actor: { id: "otto" } }] } });

  it("is nobody who had a hand in it, and nobody twice", () => {
    const reviews = reviewsOf([byIngo]);
    expect(cannotReview(run, "olga", [])).toMatch(/started it/);
    expect(cannotReview(run, "otto", [])).toMatch(/by hand/);
    expect(cannotReview(run, "ingo", reviews)).toBe("You have reviewed it.");
    expect(cannotReview(run, "ingo", [])).toBeNull();
    expect(cannotReview(run, "bea", reviews)).toBeNull();
  });
});

describe("the reviews of the record", () => {
  it("are read from their events, whatever else a newer version says in them", () => {
    const period = record({ audit: { note: "a week", from: "2026-11-01T00:00:00Z", to: "2026-11-08T00:00:00Z", newField: 1 } }, 2n);
    expect(reviewsOf([byIngo, period]).map(({ sequence, review }) => [sequence, review.note])).toEqual([
      [1n, "as planned"],
      [2n, "a week"],
    ]);
  });

  it("are left out where their text can no longer be read", () => {
    expect(reviewsOf([record(""), record({})])).toEqual([]);
  });
});
