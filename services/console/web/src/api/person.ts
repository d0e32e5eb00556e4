// Who looks, in which tenant, and what the API would let them do. The API decides all the same; this only keeps
// buttons away that it would refuse.

import { createContext, useContext } from "react";
import { ACCESS, type Method } from "../gen/access.ts";
import { Role } from "../gen/muster/common/v1/common_pb.ts";
import type { WhoAmIResponse } from "../gen/muster/identity/v1/identity_pb.ts";

export const ROLE_NAMES: Record<Role, string> = {
  [Role.UNSPECIFIED]: "no role",
  [Role.VIEWER]: "Viewer",
  [Role.OPERATOR]: "Operator",
  [Role.APPROVER_IT]: "Approver-IT",
  [Role.APPROVER_BUSINESS]: "Approver-Business",
  [Role.ADMIN]: "Admin",
};

export interface Person {
  id: string;
  name: string;
  tenants: { tenant: string; roles: Role[] }[];
}

export function personOf(me: WhoAmIResponse): Person {
  return { id: me.actorId, name: me.name || me.actorId, tenants: me.tenants.map(({ tenant, roles }) => ({ tenant, roles })) };
}

export function rolesIn(person: Person, tenant: string): Role[] {
  return person.tenants.find((held) => held.tenant === tenant)?.roles ?? [];
}

export function may(roles: readonly Role[], method: Method): boolean {
  const allowed: readonly string[] = ACCESS[method].roles;
  return allowed.length === 0 || roles.some((role) => allowed.includes(ROLE_NAMES[role]));
}

export const PersonContext = createContext<Person | null>(null);

export function usePerson(): Person {
  const person = useContext(PersonContext);
  if (!person) throw new Error("a page is shown before anybody is known");
  return person;
}

export interface Here {
  tenant: string;
  roles: Role[];
  person: Person;
  may: (method: Method) => boolean;
}

export function useHere(tenant: string): Here {
  const person = usePerson();
  const roles = rolesIn(person, tenant);
  return { tenant, roles, person, may: (method) => may(roles, method) };
}
