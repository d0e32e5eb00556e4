// The search of the record, as its address says it and as the API takes it.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { AuditFilterSchema } from "../../gen/muster/audit/v1/audit_pb.ts";

export const SEARCH = ["resource", "request", "actor", "kind", "from", "to"] as const;
export type Search = Record<(typeof SEARCH)[number], string>;

/** That somebody looked: at a run, at a period of the record. */
export const REVIEWS = ["drill.reviewed", "audit.reviewed"];

/** Types of events by what they are about. The key stands in the address; a trailing * matches the rest. */
export const KINDS: Record<string, { word: string; types: string[] }> = {
  "request.*": { word: "Requests and decisions", types: ["request.*", "intent.*"] },
  "execution.*": { word: "Runs, step by step", types: ["execution.*", "preflight.*", "resource.reserved", "resource.released", "resource.cool_down_begun", "resource.cool_down_acknowledged"] },
  "readiness.*": { word: "Status and alerts", types: ["readiness.*", "alert.*", "escalation.*"] },
  "access.*": { word: "Refused attempts", types: ["access.*", "intent.refused"] },
  declared: { word: "Declarations and changes", types: ["*.declared", "*.retired"] },
  "plan.*": { word: "Plans and proofs", types: ["plan.*", "drill.*"] },
  "schedule.*": { word: "Schedules", types: ["schedule.*"] },
  "gate.*": { word: "Gates and delegations", types: ["gate.*", "delegation.*"] },
  "delivery.*": { word: "Messages", types: ["delivery.*", "chat_binding.*"] },
  "audit.*": { word: "The log and its keys", types: ["audit.*", "producer.*"] },
  "gap.*": { word: "Gaps", types: ["gap.*"] },
  reviews: { word: "Reviews", types: REVIEWS },
  "export.*": { word: "Exports", types: ["export.*"] },
};

const DECLARED = ["tenant", "site", "resource", "group", "policy", "route", "plan", "schedule", "contact", "template"];

/** "*.declared" of every kind of document: the API matches beginnings only. */
function typesOf(kind: string): string[] {
  const types = KINDS[kind]?.types ?? (kind ? [kind] : []);
  return types.flatMap((type) => (type.startsWith("*.") ? DECLARED.map((name) => name + type.slice(1)) : [type]));
}

export function filterOf(search: Search): MessageInitShape<typeof AuditFilterSchema> {
  return {
    resource: search.resource,
    requestId: search.request,
    actor: search.actor,
    types: typesOf(search.kind),
    from: moment(search.from),
    to: moment(search.to),
  };
}

/** A field of the browser's date picker is in the person's own zone. */
function moment(local: string) {
  const at = local ? new Date(local).getTime() : Number.NaN;
  return Number.isNaN(at) ? undefined : timestampFromMs(at);
}
