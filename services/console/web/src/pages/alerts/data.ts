// The alerts, and who answers for each.

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { monitor, notifier } from "../../api/clients.ts";
import { whole } from "../../api/whole.ts";
import type { EscalationView } from "../../gen/muster/notification/v1/notification_pb.ts";

const ASK_EVERY_MS = 3_000;
const PAGE = 50;
/** Asked every few seconds: of more than so many (thousands) it is not known here who answers. */
const MOST_PAGES = 4;

export function useAlertList(tenant: string, all: boolean) {
  return useInfiniteQuery({
    queryKey: ["all-alerts", tenant, all],
    queryFn: ({ pageParam }) => monitor.listAlerts({ tenant, includeResolved: all, page: { pageSize: PAGE, pageToken: pageParam } }),
    initialPageParam: "",
    getNextPageParam: (last) => last.page?.nextPageToken || undefined,
    refetchInterval: ASK_EVERY_MS,
  });
}

export interface Escalations {
  of: ReadonlyMap<string, EscalationView>;
  /** Of an alert that is not among them, somebody may answer for it all the same. */
  more: boolean;
}

export const escalationsKey = (tenant: string) => ["escalations", tenant];

export function useEscalations(tenant: string, all: boolean) {
  return useQuery({
    queryKey: [...escalationsKey(tenant), all],
    queryFn: async (): Promise<Escalations> => {
      const { items, more } = await whole((page) => notifier.listEscalations({ tenant, includeEnded: all, page }), (answer) => answer.escalations, MOST_PAGES);
      return { of: new Map(items.map((escalation) => [escalation.alertId, escalation])), more };
    },
    refetchInterval: ASK_EVERY_MS,
  });
}
