// The deliveries of one tenant, as far as they fit.

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { notifier, planner } from "../../api/clients.ts";
import { whole } from "../../api/whole.ts";
import { Kind } from "../../gen/muster/inventory/v1/inventory_pb.ts";
import { DeliveryState } from "../../gen/muster/notification/v1/notification_pb.ts";

const PAGE = 50;
const ASK_EVERY_MS = 5_000;

export interface About {
  resource?: string;
  requestId?: string;
  alertId?: string;
  route?: string;
  states?: DeliveryState[];
}

export const SHOWS: Record<string, { word: string; states: DeliveryState[] }> = {
  all: { word: "All", states: [] },
  "not-delivered": { word: "Not delivered", states: [DeliveryState.GAVE_UP] },
  waiting: { word: "On the way", states: [DeliveryState.PENDING, DeliveryState.RETRYING] },
  "not-told": { word: "Held back", states: [DeliveryState.HELD, DeliveryState.SUPPRESSED, DeliveryState.GROUPED] },
};

export function useDeliveries(tenant: string, about: About, enabled = true) {
  return useInfiniteQuery({
    queryKey: ["deliveries", tenant, about],
    queryFn: ({ pageParam }) => notifier.listDeliveries({ tenant, ...about, page: { pageSize: PAGE, pageToken: pageParam } }),
    initialPageParam: "",
    getNextPageParam: (last) => last.page?.nextPageToken || undefined,
    refetchInterval: ASK_EVERY_MS,
    placeholderData: (before) => before,
    enabled,
  });
}

export function useRoutes(tenant: string) {
  return useQuery({
    queryKey: ["documents", tenant, Kind.NOTIFICATION_ROUTE],
    queryFn: async () => (await whole((page) => planner.listDocuments({ tenant, kind: Kind.NOTIFICATION_ROUTE, page }), (answer) => answer.documents)).items.map(({ name }) => name),
    refetchInterval: 60_000,
  });
}
