// Delegations that hold now or will: of the list, of the dialogs that decide, and of the inbox.

import { useQuery } from "@tanstack/react-query";
import { approval } from "../../api/clients.ts";
import { whole } from "../../api/whole.ts";

const ASK_EVERY_MS = 15_000;

export function useDelegations(tenant: string, enabled = true) {
  return useQuery({
    queryKey: ["delegations", tenant],
    queryFn: () => whole((page) => approval.listDelegations({ tenant, page }), (answer) => answer.delegations),
    refetchInterval: ASK_EVERY_MS,
    enabled,
  });
}
