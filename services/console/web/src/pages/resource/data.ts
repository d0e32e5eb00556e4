// What the page of one resource asks for.

import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { useQuery } from "@tanstack/react-query";
import { approval, audit, monitor, planner, schedules } from "../../api/clients.ts";
import { serverNow } from "../../api/session.ts";
import { firstOf, whole } from "../../api/whole.ts";
import type { AuditRecord } from "../../gen/muster/audit/v1/audit_pb.ts";
import { type Document, Kind } from "../../gen/muster/inventory/v1/inventory_pb.ts";
import { type AlertView, ReadinessEventSchema, type StatusChanged } from "../../gen/muster/readiness/v1/readiness_pb.ts";
import { RequestState, RequestType, type RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { milliseconds } from "../../lib/time.ts";
import type { Seen } from "../fleet/rows.ts";

/** As often as Muster looks itself. */
const LOOK_EVERY_MS = 2_000;
const SLOW_EVERY_MS = 15_000;

export function useReadiness(tenant: string, resource: string) {
  return useQuery({
    queryKey: ["readiness", tenant, resource],
    queryFn: async (): Promise<Seen | null> => {
      const { resource: view } = await monitor.getReadiness({ tenant, resource });
      return view ? { view, at: performance.now() } : null;
    },
    refetchInterval: LOOK_EVERY_MS,
  });
}

export const RANGES = { "1h": 3_600_000, "6h": 21_600_000, "24h": 86_400_000, "7d": 604_800_000 } as const;
export type RangeName = keyof typeof RANGES;

export function useTrend(tenant: string, resource: string, range: RangeName) {
  return useQuery({
    queryKey: ["trend", tenant, resource, range],
    queryFn: () => {
      const to = serverNow();
      return monitor.getTrend({ tenant, resource, from: timestampFromMs(to - RANGES[range]), to: timestampFromMs(to) });
    },
    refetchInterval: SLOW_EVERY_MS,
    placeholderData: (before) => before,
  });
}

/** Of what is over, the newest. */
const NEWEST = 20;

/** Every open alert, however old, and the newest of those that are over. */
export function useAlerts(tenant: string, resource: string) {
  return useQuery({
    queryKey: ["alerts", tenant, resource],
    queryFn: async () => {
      const [open, newest] = await Promise.all([
        whole((page) => monitor.listAlerts({ tenant, resource, page }), (answer) => answer.alerts),
        monitor.listAlerts({ tenant, resource, includeResolved: true, page: { pageSize: NEWEST } }),
      ]);
      return openFirst(open.items, newest.alerts);
    },
    refetchInterval: 5_000,
  });
}

/** Each once. Between the two answers an alert may have ended: then it is among the open ones for one more look. */
export function openFirst(open: readonly AlertView[], newest: readonly AlertView[]): AlertView[] {
  const opened = new Set(open.map(({ alertId }) => alertId));
  return [...open, ...newest.filter(({ alertId }) => !opened.has(alertId))];
}

export interface Change {
  at: Timestamp | undefined;
  sequence: bigint;
  changed: StatusChanged;
}

/** So many of the newest; the record has all. */
export const HISTORY = 30;

/** The record itself is the history: nothing is kept twice. */
export function changesOf(records: readonly AuditRecord[]): Change[] {
  return records.flatMap((record) => {
    const { event } = fromJson(ReadinessEventSchema, JSON.parse(record.payloadJson) as JsonValue, { ignoreUnknownFields: true });
    return event.case === "statusChanged" ? [{ at: record.time, sequence: record.sequence, changed: event.value }] : [];
  });
}

export function useHistory(tenant: string, resource: string) {
  return useQuery({
    queryKey: ["history", tenant, resource],
    queryFn: async () => {
      const filter = { resource, types: ["readiness.status_changed"] };
      const { records } = await audit.listEvents({ tenant, filter, newestFirst: true, page: { pageSize: HISTORY } });
      return changesOf(records);
    },
    refetchInterval: 5_000,
  });
}

export function useRuns(tenant: string, resource: string) {
  return useQuery({
    queryKey: ["runs", tenant, resource],
    queryFn: async () => (await approval.listRequests({ tenant, resource, page: { pageSize: NEWEST } })).requests,
    refetchInterval: 5_000,
  });
}

/** The newest drill that says what would be lost: null where there is none, undefined where there may be an older one. */
export function useProven(tenant: string, resource: string) {
  return useQuery({
    queryKey: ["proven", tenant, resource],
    queryFn: async () => {
      const succeeded = (page: { pageSize: number; pageToken: string }) => approval.listRequests({ tenant, resource, states: [RequestState.SUCCEEDED], page });
      const { found, more } = await firstOf(succeeded, (answer) => provenLoss(answer.requests, resource));
      return { proven: found ?? null, unknown: found === undefined && more };
    },
    refetchInterval: SLOW_EVERY_MS,
  });
}

/** How old the newest backup may be, as it is declared: what a loss of both sides would cost. Null: no backup is declared. */
export function promised(document: Document | undefined): number | null | undefined {
  if (document?.spec.case !== "resourceSpec") return undefined;
  const source = document.spec.value.isolatedDrill?.source;
  return source?.case === "backup" ? milliseconds(source.value.maxAge) : null;
}

export function useDocument(tenant: string, resource: string) {
  return useQuery({
    queryKey: ["resource-document", tenant, resource],
    queryFn: async () => (await planner.getDocument({ tenant, kind: Kind.RESOURCE, name: resource })).document ?? null,
    staleTime: 60_000,
  });
}

/** What is due for this resource. */
export function useDue(tenant: string, resource: string) {
  return useQuery({
    queryKey: ["schedules", tenant, "of", resource],
    queryFn: async () => (await whole((page) => schedules.listSchedules({ tenant, resource, page }), (answer) => answer.schedules)).items,
    refetchInterval: 60_000,
  });
}

/** The loss that the newest run or drill of this resource measured or proved. */
export interface Proven {
  request: RequestView;
  /** Absent: the run says it in words only. */
  window: number | undefined;
  none: boolean;
  at: Timestamp | undefined;
}

const DRILLS = new Set([RequestType.ISOLATED_DRILL, RequestType.LIVE_DRILL]);

export function provenLoss(requests: readonly RequestView[], resource: string): Proven | undefined {
  for (const request of requests) {
    const run = request.execution;
    if (request.state !== RequestState.SUCCEEDED || !run?.succeeded || !request.opened || !DRILLS.has(request.opened.type)) continue;
    const at = run.succeeded.finishedAt;
    const copy = run.copies.find((candidate) => candidate.resource === resource);
    if (copy) return { request, window: milliseconds(copy.lossWindow), none: false, at };
    const loss = run.succeeded.members.find((member) => member.resource === resource)?.loss ?? run.succeeded.loss;
    if (loss) return { request, window: milliseconds(loss.window), none: loss.certainty === 1, at };
  }
  return undefined;
}

export function newestFirst(a: Timestamp | undefined, b: Timestamp | undefined): number {
  return (b ? timestampMs(b) : 0) - (a ? timestampMs(a) : 0);
}
