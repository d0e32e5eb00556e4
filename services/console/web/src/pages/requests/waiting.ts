// The requests that can wait for somebody: those under way, and those whose break-glass review may be owed.

import { useQuery } from "@tanstack/react-query";
import { approval } from "../../api/clients.ts";
import { useHere } from "../../api/person.ts";
import { serverNow } from "../../api/session.ts";
import { RequestState, type RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { waitingFor } from "./inbox.ts";

export const UNDER_WAY = [RequestState.PENDING_APPROVAL, RequestState.APPROVED, RequestState.CONFIRMED, RequestState.EXECUTING];

const ASK_EVERY_MS = 5_000;
const REVIEWS_EVERY_MS = 30_000;
/** What is under way lapses after hours: this many at once would be a bad day. */
const NEWEST = 100;

export interface Waiting {
  request: RequestView;
  /** What the person who looks can do, in words. */
  what: string;
}

/** What waits for the person who looks: undefined until it is known, with the error that keeps it unknown. */
export function useInbox(tenant: string): { waiting: Waiting[] | undefined; error: unknown } {
  const here = useHere(tenant);
  const underWay = useQuery({
    queryKey: ["requests", tenant, "under-way"],
    queryFn: async () => (await approval.listRequests({ tenant, states: UNDER_WAY, page: { pageSize: NEWEST } })).requests,
    refetchInterval: ASK_EVERY_MS,
  });
  const broken = useQuery({
    queryKey: ["requests", tenant, "break-glass"],
    queryFn: async () => (await approval.listRequests({ tenant, breakGlass: true, page: { pageSize: NEWEST } })).requests,
    refetchInterval: REVIEWS_EVERY_MS,
    enabled: here.may("ApprovalService/ReviewBreakGlass"),
  });
  if (!underWay.data) return { waiting: undefined, error: underWay.error };
  const waiting = inboxOf([...underWay.data, ...(broken.data ?? [])], (request) => waitingFor(request, here.person.id, here.roles, serverNow()));
  return { waiting, error: null };
}

/** Each request once, with what it waits for. */
export function inboxOf(requests: readonly RequestView[], what: (request: RequestView) => string | null): Waiting[] {
  const once = new Map(requests.map((request) => [request.requestId, request]));
  return [...once.values()].flatMap((request) => {
    const waits = what(request);
    return waits ? [{ request, what: waits }] : [];
  });
}
