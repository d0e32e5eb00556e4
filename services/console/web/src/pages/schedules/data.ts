// What is due when, as the API tells it.

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { useQuery } from "@tanstack/react-query";
import { approval, schedules } from "../../api/clients.ts";
import { whole } from "../../api/whole.ts";
import { type Occurrence, OccurrenceState, type ScheduleView } from "../../gen/muster/schedule/v1/schedule_pb.ts";
import { typeName } from "../../lib/words.ts";
import { RequestState, RequestType, type RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import type { Tone } from "../../ui/light.tsx";
import { bounds, type Month } from "./calendar.ts";

const SLOW_EVERY_MS = 30_000;

export const OCCURRENCE_TONES: Record<OccurrenceState, Tone> = {
  [OccurrenceState.UNSPECIFIED]: "unknown",
  [OccurrenceState.UPCOMING]: "neutral",
  [OccurrenceState.OPEN]: "active",
  [OccurrenceState.SUCCEEDED]: "green",
  [OccurrenceState.LAPSED]: "yellow",
  [OccurrenceState.SKIPPED]: "neutral",
  [OccurrenceState.OVERDUE]: "red",
};

export function useCalendar(tenant: string, month: Month) {
  const { from, until } = bounds(month);
  return useQuery({
    queryKey: ["calendar", tenant, from],
    queryFn: () => schedules.listCalendar({ tenant, from: timestampFromMs(from), until: timestampFromMs(until) }),
    refetchInterval: SLOW_EVERY_MS,
    placeholderData: (before) => before,
  });
}

/** All of them: what is overdue comes first, wherever it stands in the list. */
export function useSchedules(tenant: string) {
  return useQuery({
    queryKey: ["schedules", tenant],
    queryFn: () => whole((page) => schedules.listSchedules({ tenant, page }), (answer) => answer.schedules),
    refetchInterval: SLOW_EVERY_MS,
  });
}

export function useSchedule(tenant: string, name: string) {
  return useQuery({ queryKey: ["schedule", tenant, name], queryFn: () => schedules.getSchedule({ tenant, name }), refetchInterval: 10_000 });
}

/** The next due times. Changes nothing. */
export function useNextDates(tenant: string, name: string, count: number) {
  return useQuery({
    queryKey: ["next-dates", tenant, name, count],
    queryFn: async () => (await schedules.previewSchedule({ tenant, name, count })).occurrences,
    refetchInterval: SLOW_EVERY_MS,
  });
}

/** What it is about: "resource orders-db". */
export function scopeOf({ resource, group, plan }: { resource?: string; group?: string; plan?: string }): string {
  return resource ? resource : group ? `group ${group}` : plan ? `plan ${plan}` : "the tenant";
}

/** Overdue first, then what is due next; what has no date any more last. */
export function byUrgency(a: ScheduleView, b: ScheduleView): number {
  const due = ({ nextDueAt }: ScheduleView) => (nextDueAt ? Number(nextDueAt.seconds) : Number.POSITIVE_INFINITY);
  return Number(b.overdue) - Number(a.overdue) || (due(a) === due(b) ? 0 : due(a) - due(b)) || a.name.localeCompare(b.name);
}

const RAN = [RequestState.SUCCEEDED, RequestState.FAILED];
const DRILLS: ReadonlySet<string> = new Set([RequestType.READINESS_DRILL, RequestType.ISOLATED_DRILL, RequestType.LIVE_DRILL, RequestType.TABLETOP_DRILL].map(typeName));

/** A table of more is for the page of requests. */
export const COMPARED = 50;

/** The newest requests of the schedule's scope that ran: its drills beside the real moves, to be compared. */
export function useRuns(tenant: string, scope: { resource?: string; group?: string }) {
  return useQuery({
    queryKey: ["schedule-runs", tenant, scope],
    queryFn: async () => (await approval.listRequests({ tenant, resource: scope.resource, group: scope.group, states: RAN, page: { pageSize: COMPARED } })).requests,
    refetchInterval: SLOW_EVERY_MS,
    enabled: Boolean(scope.resource || scope.group),
  });
}

export const isDrill = (request: RequestView): boolean => DRILLS.has(typeName(request.opened?.type ?? RequestType.UNSPECIFIED));

export const isReview = (what: string): boolean => what.endsWith("-review");

/** The due time that waits for a person's review. */
export function owed(what: string, occurrences: readonly Occurrence[]): Occurrence | undefined {
  if (!isReview(what)) return undefined;
  return occurrences.find(({ state }) => state === OccurrenceState.OPEN || state === OccurrenceState.OVERDUE);
}
