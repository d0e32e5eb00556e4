// The requests that can wait for somebody: those under way, and those whose break-glass review may be owed.

import { useQuery } from "@tanstack/react-query";
import { approval } from "../../api/clients.ts";
import { useHere } from "../../api/person.ts";
import { serverNow } from "../../api/session.ts";
import { type Whole, whole } from "../../api/whole.ts";
import { RequestState, type RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { useDelegations } from "../delegations/data.ts";
import { waitingFor } from "./inbox.ts";

export const UNDER_WAY = [RequestState.PENDING_APPROVAL, RequestState.APPROVED, RequestState.CONFIRMED, RequestState.EXECUTING];

const ASK_EVERY_MS = 5_000;
const REVIEWS_EVERY_MS = 30_000;
/** More than so many are asked for less often: each look reads them all. */
const MANY = 200;

export interface Waiting {
  request: RequestView;
  /** What the person who looks can do, in words. */
  what: string;
}

export interface Inbox {
  /** Undefined until it is known. */
  waiting: Waiting[] | undefined;
  /** Why something may wait that is not among them, a sentence each. Empty: nothing else waits. */
  doubts: string[];
  error: unknown;
}

/** What waits for the person who looks. */
export function useInbox(tenant: string): Inbox {
  const here = useHere(tenant);
  const underWay = useQuery({
    queryKey: ["requests", tenant, "under-way"],
    queryFn: () => whole((page) => approval.listRequests({ tenant, states: UNDER_WAY, page }), (answer) => answer.requests),
    refetchInterval: ({ state }) => (state.data && state.data.items.length > MANY ? REVIEWS_EVERY_MS : ASK_EVERY_MS),
  });
  const broken = useQuery({
    queryKey: ["requests", tenant, "break-glass"],
    queryFn: () => whole((page) => approval.listRequests({ tenant, breakGlass: true, page }), (answer) => answer.requests),
    refetchInterval: REVIEWS_EVERY_MS,
    enabled: here.may("ApprovalService/ReviewBreakGlass"),
  });
  const delegations = useDelegations(tenant, here.may("ApprovalService/ApproveRequest"));
  if (!underWay.data || broken.isLoading || delegations.isLoading) return { waiting: undefined, doubts: [], error: underWay.error };
  const requests = [...underWay.data.items, ...(broken.data?.items ?? [])];
  const waiting = inboxOf(requests, (request) => waitingFor(request, here.person.id, here.roles, serverNow(), delegations.data?.items));
  return { waiting, doubts: doubtsOf({ underWay, broken, delegations }), error: null };
}

/** Each request once, with what it waits for. */
export function inboxOf(requests: readonly RequestView[], what: (request: RequestView) => string | null): Waiting[] {
  const once = new Map(requests.map((request) => [request.requestId, request]));
  return [...once.values()].flatMap((request) => {
    const waits = what(request);
    return waits ? [{ request, what: waits }] : [];
  });
}

interface Asked {
  data: Whole<unknown> | undefined;
  error: unknown;
}

/** An inbox that was not read to its end never passes for an empty one. */
export function doubtsOf({ underWay, broken, delegations }: { underWay: Asked; broken: Asked; delegations: Asked }): string[] {
  const doubts: string[] = [];
  const newest = (asked: Asked) => asked.data?.items.length.toLocaleString("en");
  const unknown = (asked: Asked) => asked.data === undefined && Boolean(asked.error);
  if (underWay.data?.more) doubts.push(`More requests are under way than the newest ${newest(underWay)} that were looked at here. Older ones may wait for you: look through the list below.`);
  if (broken.data?.more) doubts.push(`The glass was broken more often than the newest ${newest(broken)} times that were looked at here. An older review may be owed.`);
  if (unknown(broken)) doubts.push("Whether a break-glass review is owed is not known now.");
  if (unknown(delegations)) doubts.push("Whether you decide for somebody who is away is not known now.");
  if (delegations.data?.more) doubts.push(`There are more delegations than the newest ${newest(delegations)} that were looked at here. You may decide for somebody else, too.`);
  return doubts;
}
