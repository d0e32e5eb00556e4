// One request: what is asked, on which evidence, who decided, how it runs, what came of it.

import { useQueryClient } from "@tanstack/react-query";
import { Link } from "wouter";
import { useHere } from "../../api/person.ts";
import { RequestState, type RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { capital, environment, gateLevel, requestState, tier } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { Answer, Empty } from "../../ui/states.tsx";
import { Ago, Moment } from "../../ui/time.tsx";
import { WhoWasTold } from "../messages/panel.tsx";
import { opener, subjectOf } from "../requests/opener.ts";
import { direction, subject } from "../requests/page.tsx";
import { stateTone } from "../requests/tones.ts";
import { Actions } from "./actions.tsx";
import { isDecidable, stateNow, useRequest } from "./data.ts";
import { Decisions } from "./decisions.tsx";
import { EvidencePanel } from "./evidence.tsx";
import { Exceptions } from "./exceptions.tsx";
import { Result } from "./result.tsx";
import { Aftermath } from "./reviews.tsx";
import { RunPanel } from "./run.tsx";
import "./request.css";

export function RequestPage({ tenant, id }: { tenant: string; id: string }) {
  const query = useRequest(tenant, id);
  return (
    <>
      <p className="crumbs">
        <Link href={`/t/${tenant}/requests`}>Requests</Link> / {query.data ? subject(query.data) : "one request"}
      </p>
      <Answer query={query} what="the request" heading="Request">
        {(request) => (request ? <Request tenant={tenant} request={request} /> : <Empty whole title="There is no such request" />)}
      </Answer>
    </>
  );
}

function Request({ tenant, request }: { tenant: string; request: RequestView }) {
  const here = useHere(tenant);
  const queries = useQueryClient();
  const changed = () => queries.invalidateQueries({ queryKey: ["request", tenant, request.requestId] }).then(() => queries.invalidateQueries({ queryKey: ["requests", tenant] }));
  const run = request.execution;
  const ended = run?.succeeded ?? run?.failed ?? run?.stopped;
  return (
    <div className="stack">
      <div className="head">
        <h1>
          {subject(request)} <span className="quiet">{direction(request)}</span>
        </h1>
        <Light tone={stateTone(stateNow(request))}>{capital(requestState(stateNow(request)))}</Light>
        <span className="grow" />
        <Link className="button small-button" href={`/t/${tenant}/requests/${request.requestId}/story`}>
          Story
        </Link>
        {ended && (
          <a className="button small-button" href={`/t/${tenant}/requests/${request.requestId}/report`}>
            Report
          </a>
        )}
      </div>
      <Glass request={request} />
      <Actions here={here} request={request} changed={changed} />
      {isDecidable(request) && <Exceptions here={here} request={request} changed={changed} />}
      {isDecidable(request) && <EvidencePanel request={request} tenant={tenant} open />}
      {ended && <Result here={here} request={request} />}
      {run && <RunPanel here={here} request={request} run={run} changed={changed} />}
      <div className="columns">
        <Asked request={request} tenant={tenant} />
        <Decisions request={request} />
      </div>
      {ended && <Aftermath here={here} request={request} />}
      {!isDecidable(request) && <EvidencePanel request={request} tenant={tenant} open={false} />}
      <WhoWasTold tenant={tenant} about={{ requestId: request.requestId }} />
    </div>
  );
}

function Glass({ request }: { request: RequestView }) {
  const glass = request.opened?.breakGlass;
  if (!glass) return null;
  const used = request.confirmed?.breakGlass === true;
  return (
    <div className="notice red">
      <p>
        <strong>Break-glass, incident {glass.incident}.</strong> {glass.reason}
      </p>
      {glass.skipped.length > 0 && (
        <p>
          {used ? "Started without" : "Can be started without"}: {glass.skipped.join(", ")}
          {!used && (
            <>
              , until <Moment at={glass.until} />
            </>
          )}
          .
        </p>
      )}
      {request.breakGlassLapsed && <p>It was not used in its time: the approvals are needed again.</p>}
      {request.review ? (
        <p>
          Reviewed by {request.review.actor?.name}: <strong>{request.review.justified ? "justified" : "not justified"}</strong>. {request.review.findings}
        </p>
      ) : (
        used && (
          <p>
            A review is due by <Moment at={glass.reviewDue} />
            {request.reviewOverdue && <strong>: overdue</strong>}.
          </p>
        )
      )}
    </div>
  );
}

function Asked({ request, tenant }: { request: RequestView; tenant: string }) {
  const opened = request.opened;
  if (!opened) return null;
  const lapses = request.state === RequestState.PENDING_APPROVAL || request.state === RequestState.APPROVED;
  return (
    <section className="panel">
      <header>
        <h2>What was asked</h2>
      </header>
      <div className="body">
        <dl className="facts">
          <dt>Reason</dt>
          <dd>{opened.reason}</dd>
          <dt>Ticket</dt>
          <dd>{opened.ticket || <span className="quiet">none</span>}</dd>
          <dt>Asked by</dt>
          <dd>
            {capital(opener(opened))}, <Moment at={opened.openedAt} />
            {opened.schedule && (
              <>
                <br />
                <span className="small quiet" title={opened.requester?.id}>
                  declared by {opened.requester?.name || subjectOf(opened.requester?.id ?? "")}, who therefore does not approve it
                </span>
              </>
            )}
          </dd>
          {opened.schedule && (
            <>
              <dt>Scheduled</dt>
              <dd>
                <Link href={`/t/${tenant}/schedules/${opened.schedule}`}>{opened.schedule}</Link>
                {opened.dueAt && (
                  <>
                    , due <Moment at={opened.dueAt} />
                  </>
                )}
              </dd>
            </>
          )}
          <dt>What moves</dt>
          <dd>
            {opened.members.map((member, index) => (
              <span key={member.resource}>
                {index > 0 && ", "}
                <Link href={`/t/${tenant}/resources/${member.resource}`}>{member.resource}</Link>
              </span>
            ))}
            {opened.members.length === 0 && opened.resource}
          </dd>
          <dt>Criticality</dt>
          <dd>
            {tier(opened.tier)}, {environment(opened.environment)}
          </dd>
          <dt>Plan</dt>
          <dd>
            {opened.plan?.name ? (
              <>
                <Link href={`/t/${tenant}/plans/${opened.plan.name}`}>{opened.plan.name}</Link> version {String(opened.plan.version)}
              </>
            ) : (
              "built-in, the platform’s own steps"
            )}
            <br />
            <code className="quiet">{opened.plan?.hash.slice(0, 16)}</code>
          </dd>
          <dt>Gate</dt>
          <dd>
            {gateLevel(opened.gate)} <span className="quiet">{opened.gateSource}</span>
          </dd>
          {lapses && (
            <>
              <dt>Lapses</dt>
              <dd>
                <Ago at={opened.expiresAt} />
              </dd>
            </>
          )}
          <dt>Number</dt>
          <dd>
            <code>{request.requestId}</code>
          </dd>
        </dl>
      </div>
    </section>
  );
}
