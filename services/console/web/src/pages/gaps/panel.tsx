// The gaps of one resource or one request, in short.

import { Link } from "wouter";
import { type Here } from "../../api/person.ts";
import { capital, gapSeverity } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { Answer } from "../../ui/states.tsx";
import { Moment } from "../../ui/time.tsx";
import type { Scope } from "../requests/scopes.ts";
import { useFewGaps } from "./data.ts";
import { OpenGap } from "./open.tsx";
import { standing } from "./terms.ts";

interface About {
  here: Here;
  resource?: string;
  requestId?: string;
  /** What a gap that is opened here is about. */
  scope: Scope;
}

export function GapsPanel({ here, resource, requestId, scope }: About) {
  // What a run showed stays of interest when it is mended; a resource's own page is about now.
  const gaps = useFewGaps(here.tenant, { includeClosed: requestId !== undefined, resource, requestId });
  return (
    <section className="panel" aria-label="Gaps">
      <header>
        <h2>Gaps</h2>
        <span className="grow" />
        {here.may("AuditService/OpenGap") && <OpenGap here={here} scope={scope} requestId={requestId} small />}
      </header>
      <div className="body">
        <Answer query={gaps} what="gaps" rows={1}>
          {({ gaps: found, more }) =>
            found.length === 0 ? (
              <p className="quiet">None is open.</p>
            ) : (
              <ul className="lines">
                {found.map((gap) => (
                  <li key={gap.opened?.gapId}>
                    <Light tone={standing(gap).tone}>{standing(gap).word}</Light> <Link href={`/t/${here.tenant}/gaps?gap=${gap.opened?.gapId}`}>{gap.opened?.title}</Link>
                    <br />
                    <span className="small quiet">
                      {capital(gapSeverity(gap.opened?.severity))} severity
                      {gap.planned && (
                        <>
                          , {gap.planned.owner} until <Moment at={gap.planned.due} />
                        </>
                      )}
                    </span>
                  </li>
                ))}
                {more && (
                  <li>
                    There are more: <Link href={`/t/${here.tenant}/gaps`}>all gaps</Link>
                  </li>
                )}
              </ul>
            )
          }
        </Answer>
      </div>
    </section>
  );
}
