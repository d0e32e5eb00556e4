// Whether the plan for a resource was ever proven: the plan of the resource itself, or of a group that it is in.

import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { planner, plans } from "../../api/clients.ts";
import { type Whole, whole } from "../../api/whole.ts";
import { Kind, type Document } from "../../gen/muster/inventory/v1/inventory_pb.ts";
import { PlanState, ProofState, type PlanView } from "../../gen/muster/plan/v1/plan_pb.ts";

export interface Proof {
  plan: PlanView | undefined;
  group: string | undefined;
}

/** Of a resource that no plan is for. */
const NO_PLAN: Proof = { plan: undefined, group: undefined };

export interface Proofs {
  found: Map<string, Proof>;
  /** Every plan and every group was looked at. */
  complete: boolean;
}

/** Undefined where it is not known: a plan that nobody looked at may be for it. */
export function proofOf({ found, complete }: Proofs, resource: string): Proof | undefined {
  return found.get(resource) ?? (complete ? NO_PLAN : undefined);
}

export function proofs(all: readonly PlanView[], groups: readonly Document[]): Map<string, Proof> {
  const found = new Map<string, Proof>();
  const better = (name: string, plan: PlanView, group: string | undefined) => {
    const before = found.get(name)?.plan;
    if (before && rank(before) >= rank(plan)) return;
    found.set(name, { plan, group });
  };
  for (const plan of all) {
    const scope = plan.spec?.scope;
    if (scope?.case === "resource") better(scope.value, plan, undefined);
    if (scope?.case === "group") {
      const group = groups.find((document) => document.name === scope.value);
      const members = group?.spec.case === "groupSpec" ? group.spec.value.members : [];
      for (const member of members) better(member.resource, plan, scope.value);
    }
  }
  return found;
}

/** How old the proof of a plan is: when it last passed a test or a real run. Undefined where there is none. */
export function provenAt(plan: PlanView | undefined): Timestamp | undefined {
  if (plan?.proof !== ProofState.PROVEN && plan?.proof !== ProofState.STALE) return undefined;
  // The newest are listed first.
  return plan.tests.find((test) => test.passed)?.at;
}

/** A published plan before a draft, a proven one before an unproven. */
function rank(plan: PlanView): number {
  return (plan.state === PlanState.PUBLISHED ? 2 : 0) + (plan.proof === ProofState.PROVEN ? 1 : 0);
}

export function usePlans(tenant: string) {
  return useQuery({
    queryKey: ["plans", tenant],
    queryFn: (): Promise<Whole<PlanView>> => whole((page) => plans.listPlans({ tenant, page }), (answer) => answer.plans),
    refetchInterval: 60_000,
  });
}

export function useGroups(tenant: string) {
  return useQuery({
    queryKey: ["groups", tenant],
    queryFn: (): Promise<Whole<Document>> => whole((page) => planner.listDocuments({ tenant, kind: Kind.GROUP, page }), (answer) => answer.documents),
    refetchInterval: 60_000,
  });
}

export function useProofs(tenant: string): Proofs | undefined {
  const all = usePlans(tenant).data;
  const groups = useGroups(tenant).data;
  return useMemo(() => all && groups && { found: proofs(all.items, groups.items), complete: !all.more && !groups.more }, [all, groups]);
}
