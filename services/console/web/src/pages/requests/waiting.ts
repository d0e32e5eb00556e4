import { useQuery } from "@tanstack/react-query";
import { approval } from "../../api/clients.ts";
import { useHere } from "../../api/person.ts";
import { serverNow } from "../../api/session.ts";
import { waitingFor } from "./inbox.ts";

const ASK_EVERY_MS = 5_000;
/** The newest ones: what waits is never old, requests lapse after hours. */
const NEWEST = 200;

export function useRequests(tenant: string) {
  return useQuery({
    queryKey: ["requests", tenant],
    queryFn: async () => (await approval.listRequests({ tenant, page: { pageSize: NEWEST } })).requests,
    refetchInterval: ASK_EVERY_MS,
    enabled: tenant !== "",
  });
}

/** How many requests wait for the person who looks. */
export function useWaiting(tenant: string): number {
  const here = useHere(tenant);
  const requests = useRequests(tenant);
  return (requests.data ?? []).filter((request) => waitingFor(request, here.person.id, here.roles, serverNow()) !== null).length;
}
