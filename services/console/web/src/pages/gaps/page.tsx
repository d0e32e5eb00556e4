// Gaps: what is not as it should be, who sees to it until when, and what shows that it is mended.

import { Link } from "wouter";
import { useHere } from "../../api/person.ts";
import { troubleOf } from "../../api/trouble.ts";
import { useFields } from "../../lib/address.ts";
import { Older } from "../../ui/older.tsx";
import { Empty, hides, Loading, TroubleNotice } from "../../ui/states.tsx";
import { AuditParts } from "../audit/parts.tsx";
import { useGapList } from "./data.ts";
import { GapItem } from "./gap.tsx";
import { OpenGap } from "./open.tsx";

const FIELDS = ["show", "resource", "request", "gap"] as const;

export function GapsPage({ tenant }: { tenant: string }) {
  const here = useHere(tenant);
  const [fields, change] = useFields(FIELDS);
  const all = fields.show === "all";
  const list = useGapList(tenant, { includeClosed: all, resource: fields.resource, requestId: fields.request, gapId: fields.gap });
  const found = list.data?.pages.flatMap((page) => page.gaps) ?? [];
  const narrowed = fields.resource || fields.request || fields.gap;
  return (
    <>
      <div className="head">
        <h1>Gaps</h1>
        <p className="quiet">What is not as it should be, until it is mended. A failed drill and a missed objective are here by themselves.</p>
        <span className="grow" />
        {here.may("AuditService/OpenGap") && <OpenGap here={here} />}
      </div>
      <AuditParts tenant={tenant} here="gaps" />
      {narrowed ? (
        <p className="actions">
          <span>
            Only {fields.gap ? "one gap" : fields.request ? "those of one request" : <>those of {fields.resource}</>}.
          </span>
          <Link className="button small-button" href={`/t/${tenant}/gaps`}>
            Show all gaps
          </Link>
        </p>
      ) : (
        <div className="chips" role="group" aria-label="Show">
          <button type="button" className="chip" aria-pressed={!all} onClick={() => change({ show: "" })}>
            Not closed
          </button>
          <button type="button" className="chip" aria-pressed={all} onClick={() => change({ show: "all" })}>
            Closed too
          </button>
        </div>
      )}
      {hides(list) ? (
        <TroubleNotice trouble={troubleOf(list.error)} retry={() => void list.refetch()} />
      ) : list.isPending ? (
        <Loading what="gaps" />
      ) : found.length === 0 ? (
        <Empty title={narrowed ? "No gap fits" : all ? "There was never a gap" : "No gap is open"}>
          <p className="quiet">A gap opens when a drill fails or a target is missed, or when a person says what is wrong.</p>
        </Empty>
      ) : (
        <ul className="entries">
          {found.map((gap) => (
            <GapItem key={gap.opened?.gapId} here={here} gap={gap} />
          ))}
        </ul>
      )}
      <Older list={list} what="gaps" />
    </>
  );
}
