// What a request, a policy or a gap can be about: the resources and the groups of a tenant.

import { useQuery } from "@tanstack/react-query";
import { monitor, planner } from "../../api/clients.ts";
import { whole } from "../../api/whole.ts";
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
        whole((page) => monitor.listReadiness({ tenant, page }), (answer) => answer.resources.map((view) => view.resource)),
        whole((page) => planner.listDocuments({ tenant, kind: Kind.GROUP, page }), (answer) => answer.documents.map((document) => document.name)),
        whole((page) => planner.listDocuments({ tenant, kind: Kind.SITE, page }), (answer) => answer.documents.map((document) => document.name)),
      ]);
      return {
        scopes: [
          ...groups.items.map((name): Scope => ({ case: "group", name })),
          // In the order of the alphabet: the fleet's own order changes while somebody chooses.
          ...fleet.items.sort().map((name): Scope => ({ case: "resource", name })),
        ],
        sites: sites.items,
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
