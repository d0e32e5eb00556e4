// The search of the record, as its address says it and as the API takes it.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { AuditFilterSchema } from "../../gen/muster/audit/v1/audit_pb.ts";

export const SEARCH = ["resource", "request", "actor", "kind", "from", "to"] as const;
export type Search = Record<(typeof SEARCH)[number], string>;

export const KINDS: Record<string, string> = {
  "request.*": "Requests and decisions",
  "execution.*": "Runs, step by step",
  "readiness.*": "Status and alerts",
  "access.*": "Refused attempts",
  "inventory.*": "Declarations and changes",
  "plan.*": "Plans and proofs",
  "gate.*": "Gates",
  "delegation.*": "Delegations",
  "schedule.*": "Schedules",
  "alert.*": "Acknowledged and silenced",
  "delivery.*": "Messages",
  "export.*": "Exports",
};

export function filterOf(search: Search): MessageInitShape<typeof AuditFilterSchema> {
  return {
    resource: search.resource,
    requestId: search.request,
    actor: search.actor,
    types: search.kind ? [search.kind] : [],
    from: moment(search.from),
    to: moment(search.to),
  };
}

/** A field of the browser's date picker is in the person's own zone. */
function moment(local: string) {
  const at = local ? new Date(local).getTime() : Number.NaN;
  return Number.isNaN(at) ? undefined : timestampFromMs(at);
}
