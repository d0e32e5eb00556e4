// Whom one can name: people that the tenant's contacts or its record know. The API keeps no list of people; the
// identity provider does.

import { useQuery } from "@tanstack/react-query";
import { audit, planner } from "../../api/clients.ts";
import { whole } from "../../api/whole.ts";
import { ActorKind } from "../../gen/muster/common/v1/common_pb.ts";
import { Kind } from "../../gen/muster/inventory/v1/inventory_pb.ts";

export interface Known {
  id: string;
  name: string;
}

export function useKnownPeople(tenant: string) {
  return useQuery({
    queryKey: ["people", tenant],
    queryFn: async (): Promise<Known[]> => {
      const [contacts, decisions] = await Promise.all([
        whole((page) => planner.listDocuments({ tenant, kind: Kind.CONTACT, page }), (answer) => answer.documents),
        // Suggestions only: whoever is not among the newest is typed in.
        audit.listEvents({ tenant, filter: { types: ["request.*", "plan.*", "gate.*", "delegation.*", "alert.acknowledged", "access.*", "resource.declared", "policy.declared"] }, newestFirst: true, page: { pageSize: 200 } }),
      ]);
      const found = new Map<string, string>();
      for (const { spec, name } of contacts.items) if (spec.case === "contactSpec" && spec.value.person) found.set(spec.value.person, spec.value.displayName || name);
      for (const { actor } of decisions.records) if (actor?.kind === ActorKind.PERSON && !found.has(actor.id)) found.set(actor.id, actor.name || actor.id);
      return [...found].map(([id, name]) => ({ id, name })).sort((a, b) => a.name.localeCompare(b.name));
    },
    staleTime: 60_000,
  });
}
