// Who may look at the record of a run and say whether it was as it should be. The API decides; this says it beforehand.

import { type AuditRecord } from "../../gen/muster/audit/v1/audit_pb.ts";
import { type AuditReviewed, type DrillReviewed, ReviewEventSchema } from "../../gen/muster/audit/v1/gap_pb.ts";
import type { RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";

export interface Reviewed {
  sequence: bigint;
  review: DrillReviewed | AuditReviewed;
}

/** The record itself holds the reviews: nothing is kept twice. What cannot be read (its key was destroyed) is left out. */
export function reviewsOf(records: readonly AuditRecord[]): Reviewed[] {
  return records.flatMap(({ sequence, payloadJson }) => {
    if (!payloadJson) return [];
    const { event } = fromJson(ReviewEventSchema, JSON.parse(payloadJson) as JsonValue, { ignoreUnknownFields: true });
    return event.case ? [{ sequence, review: event.value }] : [];
  });
}

/** Why this person does not review the run; null when they can. */
export function cannotReview(request: RequestView, me: string, reviews: readonly Reviewed[]): string | null {
  if (request.confirmed?.actor?.id === me) return "You started it: somebody else reviews it.";
  if (request.execution?.manualDecisions.some(({ actor }) => actor?.id === me)) return "You did a step of it by hand: somebody else reviews it.";
  return reviews.some(({ review }) => review.reviewer?.id === me) ? "You have reviewed it." : null;
}
