// What a request, a policy or a gap can be about: the resources and the groups of a tenant.

import { useQuery } from "@tanstack/react-query";
import { monitor, planner } from "../../api/clients.ts";
import { Kind } from "../../gen/muster/inventory/v1/inventory_pb.ts";

export interface Scope {
  case: "resource" | "group";
  name: string;
}

export function useScopes(tenant: string) {
  return useQuery({
    queryKey: ["scopes", tenant],
    queryFn: async () => {
      const [fleet, groups, sites] = await Promise.all([
        monitor.listReadiness({ tenant, page: { pageSize: 500 } }),
        planner.listDocuments({ tenant, kind: Kind.GROUP, page: { pageSize: 500 } }),
        planner.listDocuments({ tenant, kind: Kind.SITE, page: { pageSize: 500 } }),
      ]);
      return {
        scopes: [
          ...groups.documents.map((document): Scope => ({ case: "group", name: document.name })),
          ...fleet.resources.map((view): Scope => ({ case: "resource", name: view.resource })),
        ],
        sites: sites.documents.map((document) => document.name),
      };
    },
  });
}

/** "group/shop", "resource/orders-db": as the value of a field. */
export const scopeValue = ({ case: kind, name }: Scope): string => `${kind}/${name}`;
export const scopeLabel = ({ case: kind, name }: Scope): string => (kind === "group" ? `Group ${name}` : name);

export function scopeOf(value: string): Scope {
  const [kind, name = ""] = value.split("/");
  return { case: kind === "group" ? "group" : "resource", name };
}
