// What an auditor takes away, what it rests on, and that somebody looked.

import { useHere } from "../../api/person.ts";
import { AuditParts } from "../audit/parts.tsx";
import { ExportPackage } from "./export.tsx";
import { LogPanel } from "./log.tsx";
import { ReviewsPanel } from "./reviews.tsx";
import "../audit/audit.css";

export function EvidencePage({ tenant }: { tenant: string }) {
  const here = useHere(tenant);
  return (
    <>
      <div className="head">
        <h1>Evidence and reviews</h1>
        <p className="quiet">For somebody who trusts nobody, Muster included.</p>
      </div>
      <AuditParts tenant={tenant} here="evidence" />
      {here.may("AuditService/ExportPackage") && <ExportPackage tenant={tenant} />}
      <div className="columns">
        <LogPanel tenant={tenant} />
        <ReviewsPanel here={here} />
      </div>
    </>
  );
}
