// One gap as it stands: what it is, who sees to it until when, and what can be done.

import { Link } from "wouter";
import type { Here } from "../../api/person.ts";
import { type Gap, GapState } from "../../gen/muster/audit/v1/gap_pb.ts";
import { capital, gapSeverity } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { Ago, Moment } from "../../ui/time.tsx";
import { GapActions } from "./act.tsx";
import { standing } from "./terms.ts";

export function GapItem({ here, gap }: { here: Here; gap: Gap }) {
  const { opened } = gap;
  const { word, tone } = standing(gap);
  if (!opened) return null;
  return (
    <li>
      <Light tone={tone}>{word}</Light>
      <div className="stack-small">
        <div>
          <Link href={`/t/${here.tenant}/gaps?gap=${opened.gapId}`}>{opened.title}</Link>
        </div>
        <p className="small quiet">
          {capital(gapSeverity(opened.severity))} severity · <About here={here} gap={gap} /> · {opened.source === "person" ? `found by ${opened.openedBy?.name || opened.openedBy?.id}` : opened.source}
          {opened.requestId && (
            <>
              , <Link href={`/t/${here.tenant}/requests/${opened.requestId}`}>the run that showed it</Link>
            </>
          )}
        </p>
        {opened.description && <p className="small">{opened.description}</p>}
        <Outlook here={here} gap={gap} />
        <GapActions here={here} gap={gap} />
      </div>
      <span className="small quiet">
        open since <Ago at={gap.reopened?.reopenedAt ?? opened.openedAt} />
      </span>
    </li>
  );
}

function About({ here, gap: { opened } }: { here: Here; gap: Gap }) {
  if (opened?.resource) return <Link href={`/t/${here.tenant}/resources/${opened.resource}`}>{opened.resource}</Link>;
  return opened?.group ? `group ${opened.group}` : "the tenant";
}

/** What was promised, borne or done. What holds no more is in the record. */
function Outlook({ here, gap }: { here: Here; gap: Gap }) {
  const { planned, accepted, closed, reopened } = gap;
  if (gap.state === GapState.PLANNED && planned) {
    return (
      <p className="small">
        <strong>{planned.owner}</strong> until <Moment at={planned.due} />: {planned.plan}
      </p>
    );
  }
  if (gap.state === GapState.ACCEPTED && accepted) {
    return (
      <p className="small">
        Accepted by <strong>{accepted.actor?.name || accepted.actor?.id}</strong> until <Moment at={accepted.until} />: “{accepted.reason}”
      </p>
    );
  }
  if (gap.state === GapState.CLOSED && closed) {
    return (
      <p className="small">
        Closed by <strong>{closed.actor?.name || closed.actor?.id}</strong>, <Ago at={closed.closedAt} />: “{closed.note}”
        {closed.evidenceRequestId && (
          <>
            {" "}
            Shown by <Link href={`/t/${here.tenant}/requests/${closed.evidenceRequestId}`}>{closed.evidence || "a run"}</Link>.
          </>
        )}
      </p>
    );
  }
  return (
    <p className="small">
      <Light tone="yellow">Nobody sees to it yet</Light>
      {reopened && <span className="quiet"> Opened again: “{reopened.reason}”</span>}
    </p>
  );
}
