// The alerts, and who answers for each.

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { monitor, notifier } from "../../api/clients.ts";
import type { EscalationView } from "../../gen/muster/notification/v1/notification_pb.ts";

const ASK_EVERY_MS = 3_000;
const PAGE = 50;
/** Of those open and the newest ended: as many as are shown with it. */
const ESCALATIONS = 500;

export function useAlertList(tenant: string, all: boolean) {
  return useInfiniteQuery({
    queryKey: ["all-alerts", tenant, all],
    queryFn: ({ pageParam }) => monitor.listAlerts({ tenant, includeResolved: all, page: { pageSize: PAGE, pageToken: pageParam } }),
    initialPageParam: "",
    getNextPageParam: (last) => last.page?.nextPageToken || undefined,
    refetchInterval: ASK_EVERY_MS,
  });
}

export const escalationsKey = (tenant: string) => ["escalations", tenant];

export function useEscalations(tenant: string, all: boolean) {
  return useQuery({
    queryKey: [...escalationsKey(tenant), all],
    queryFn: async (): Promise<Map<string, EscalationView>> => {
      const { escalations } = await notifier.listEscalations({ tenant, includeEnded: all, page: { pageSize: ESCALATIONS } });
      return new Map(escalations.map((escalation) => [escalation.alertId, escalation]));
    },
    refetchInterval: ASK_EVERY_MS,
  });
}
