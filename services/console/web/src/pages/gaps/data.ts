// Gaps as they stand: open before closed, the worst first.

import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { approval, audit } from "../../api/clients.ts";
import { whole } from "../../api/whole.ts";
import type { Gap } from "../../gen/muster/audit/v1/gap_pb.ts";
import { RequestState } from "../../gen/muster/request/v1/request_pb.ts";
import { evidenceFor } from "./terms.ts";

const PAGE = 50;
/** Of one request or one resource: a panel shows no more. */
const FEW = 20;
const ASK_EVERY_MS = 5_000;

export interface Which {
  includeClosed: boolean;
  resource?: string;
  requestId?: string;
  gapId?: string;
}

export function useGapList(tenant: string, which: Which) {
  return useInfiniteQuery({
    queryKey: ["gaps", tenant, "list", which],
    queryFn: ({ pageParam }) => audit.listGaps({ tenant, ...which, page: { pageSize: PAGE, pageToken: pageParam } }),
    initialPageParam: "",
    getNextPageParam: (last) => last.page?.nextPageToken || undefined,
    refetchInterval: ASK_EVERY_MS,
    placeholderData: (before) => before,
  });
}

export function useFewGaps(tenant: string, which: Which) {
  return useQuery({
    queryKey: ["gaps", tenant, "few", which],
    queryFn: async () => {
      const { gaps, page } = await audit.listGaps({ tenant, ...which, page: { pageSize: FEW } });
      return { gaps, more: Boolean(page?.nextPageToken) };
    },
    refetchInterval: ASK_EVERY_MS,
  });
}

/** To be called after a deed, with its place in the log: the lists of gaps are asked again once they know it. */
export function useGapsChanged(tenant: string) {
  const queries = useQueryClient();
  return async ({ sequence }: { sequence: bigint }) => {
    // The deed is done: a list that takes longer than that comes by itself.
    await audit.listGaps({ tenant, minVersion: sequence, page: { pageSize: 1 } }).catch(() => undefined);
    await queries.invalidateQueries({ queryKey: ["gaps", tenant] });
  };
}

/** The runs that can show that a gap is mended; asked for when somebody is about to close it. */
export function useEvidence(tenant: string, gap: Gap) {
  const { requestId = "", resource, group } = gap.opened ?? {};
  return useQuery({
    queryKey: ["gap-evidence", tenant, gap.opened?.gapId],
    queryFn: async () => {
      const [{ request }, runs] = await Promise.all([
        approval.getRequest({ tenant, requestId }),
        whole((page) => approval.listRequests({ tenant, resource: group ? "" : resource, group, states: [RequestState.SUCCEEDED], page }), (answer) => answer.requests),
      ]);
      return evidenceFor(request, runs.items);
    },
    enabled: requestId !== "",
  });
}
