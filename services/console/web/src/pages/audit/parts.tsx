import { PartLinks } from "../../ui/parts.tsx";

/** What the section of the record holds: the record itself, what is not as it should be, what an auditor takes away. */
const PARTS = { audit: "Record", gaps: "Gaps", evidence: "Evidence and reviews" } as const;

export function AuditParts({ tenant, here }: { tenant: string; here: keyof typeof PARTS }) {
  return <PartLinks label="Audit" parts={PARTS} here={here} hrefOf={(part) => `/t/${tenant}/${part}`} />;
}
