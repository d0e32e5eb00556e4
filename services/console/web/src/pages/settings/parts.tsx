import { PartLinks } from "../../ui/parts.tsx";

export const PARTS = { "": "Documents", "who-must-approve": "Who must approve", gates: "Gates", people: "People and roles" } as const;
export type Part = keyof typeof PARTS;

export function Parts({ tenant, here }: { tenant: string; here: Part }) {
  return <PartLinks label="Settings" parts={PARTS} here={here} hrefOf={(part) => `/t/${tenant}/settings${part && `/${part}`}`} />;
}
