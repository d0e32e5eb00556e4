// One request as it is now, and while it runs as it happens.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { approval, live } from "../../api/clients.ts";
import { follow } from "../../api/stream.ts";
import { ExecutionState, type ExecutionView } from "../../gen/muster/execution/v1/execution_pb.ts";
import { RequestState, type RequestView } from "../../gen/muster/request/v1/request_pb.ts";

const MOVING = new Set([RequestState.CONFIRMED, RequestState.EXECUTING]);
const DECIDABLE = new Set([RequestState.PENDING_APPROVAL, RequestState.APPROVED]);

const BY_RUN: Record<ExecutionState, RequestState | undefined> = {
  [ExecutionState.UNSPECIFIED]: undefined,
  [ExecutionState.RUNNING]: RequestState.EXECUTING,
  [ExecutionState.SUCCEEDED]: RequestState.SUCCEEDED,
  [ExecutionState.FAILED]: RequestState.FAILED,
  [ExecutionState.STOPPED]: RequestState.STOPPED,
};

/** The run's stream is ahead of the list of requests: what it says holds. */
export function stateNow(request: RequestView): RequestState {
  return (request.execution && BY_RUN[request.execution.state]) ?? request.state;
}

export const isMoving = (request: RequestView) => MOVING.has(request.state);
export const isDecidable = (request: RequestView) => DECIDABLE.has(request.state);

function every(request: RequestView | undefined | null): number {
  if (!request) return 3_000;
  return isMoving(request) ? 1_500 : isDecidable(request) ? 2_500 : 15_000;
}

/** Whichever of the two knows more: an answer that was made earlier never takes back what was seen. */
export function newer(a: ExecutionView | undefined, b: ExecutionView | undefined): ExecutionView | undefined {
  if (!a || !b) return a ?? b;
  return a.version >= b.version ? a : b;
}

export function useRequest(tenant: string, id: string) {
  const queries = useQueryClient();
  const key = ["request", tenant, id];
  const query = useQuery({
    queryKey: key,
    queryFn: async (): Promise<RequestView | null> => {
      const { request } = await approval.getRequest({ tenant, requestId: id });
      if (!request) return null;
      const before = queries.getQueryData<RequestView>(key)?.execution;
      return { ...request, execution: newer(request.execution, before) };
    },
    refetchInterval: ({ state }) => every(state.data),
  });
  const moving = query.data ? isMoving(query.data) : false;
  useEffect(() => {
    if (!moving) return;
    const stop = new AbortController();
    const take = (execution: ExecutionView | undefined) =>
      queries.setQueryData<RequestView | null>(["request", tenant, id], (before) => before && { ...before, execution: newer(execution, before.execution) });
    void follow(
      (signal) => live.executor.watchExecution({ tenant, requestId: id }, { signal }),
      // An error: it has not begun yet. The next look at the request says more.
      { onMessage: (message) => take(message.execution), onError: () => undefined },
      stop.signal,
    );
    return () => stop.abort();
  }, [moving, queries, tenant, id]);
  return query;
}
