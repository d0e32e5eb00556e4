// Requests: first what waits for the person who looks, then all.

import { Link } from "wouter";
import { RequestState, type RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { useHere } from "../../api/person.ts";
import { serverNow } from "../../api/session.ts";
import { useFields } from "../../lib/address.ts";
import { capital, requestState, requestType } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { Answer, Empty } from "../../ui/states.tsx";
import { Ago } from "../../ui/time.tsx";
import { waitingFor } from "./inbox.ts";
import { OpenRequest } from "./open.tsx";
import { stateTone } from "./tones.ts";
import { useRequests } from "./waiting.ts";
import "./requests.css";

const OPEN = new Set([RequestState.PENDING_APPROVAL, RequestState.APPROVED, RequestState.CONFIRMED, RequestState.EXECUTING]);
const SHOWS = { all: "All", open: "Under way", ended: "Ended", "break-glass": "Break-glass" } as const;

function fits(request: RequestView, show: string): boolean {
  if (show === "open") return OPEN.has(request.state);
  if (show === "ended") return !OPEN.has(request.state);
  if (show === "break-glass") return request.opened?.breakGlass !== undefined;
  return true;
}

export function RequestsPage({ tenant }: { tenant: string }) {
  const requests = useRequests(tenant);
  const here = useHere(tenant);
  const [fields, change] = useFields(["show"]);
  const show = fields.show || "all";
  return (
    <>
      <div className="head">
        <h1>Requests</h1>
        <span className="grow" />
        {here.may("ApprovalService/OpenRequest") && <OpenRequest tenant={tenant} />}
      </div>
      <Answer query={requests} what="requests">
        {(all) => {
          const waiting = all.flatMap((request) => {
            const what = waitingFor(request, here.person.id, here.roles, serverNow());
            return what ? [{ request, what }] : [];
          });
          const shown = all.filter((request) => fits(request, show));
          return (
            <>
              <section aria-labelledby="waiting" className="stack">
                <h2 id="waiting">Waiting for you</h2>
                {waiting.length === 0 ? (
                  <p className="quiet">Nothing waits for you.</p>
                ) : (
                  <ul className="inbox">
                    {waiting.map(({ request, what }) => (
                      <li key={request.requestId}>
                        <strong>{what}</strong>
                        <Line tenant={tenant} request={request} />
                      </li>
                    ))}
                  </ul>
                )}
              </section>
              <section aria-labelledby="list" className="stack">
                <div className="head">
                  <h2 id="list">All requests</h2>
                  <div className="chips" role="group" aria-label="Show">
                    {Object.entries(SHOWS).map(([name, word]) => (
                      <button key={name} type="button" className="chip" aria-pressed={name === show} onClick={() => change({ show: name === "all" ? "" : name })}>
                        {word}
                      </button>
                    ))}
                  </div>
                </div>
                {shown.length === 0 ? (
                  <Empty title={all.length === 0 ? "Nobody has asked for anything yet" : "No request fits"}>
                    <p>{all.length === 0 ? "An operator opens a request here or on a resource’s page." : "Choose another list above."}</p>
                  </Empty>
                ) : (
                  <List tenant={tenant} requests={shown} />
                )}
              </section>
            </>
          );
        }}
      </Answer>
    </>
  );
}

function List({ tenant, requests }: { tenant: string; requests: RequestView[] }) {
  return (
    <ul className="request-list">
      {requests.map((request) => (
        <li key={request.requestId}>
          <Light tone={stateTone(request.state)}>{capital(requestState(request.state))}</Light>
          <Line tenant={tenant} request={request} />
          <span className="small quiet">{request.missing.length > 0 && OPEN.has(request.state) ? `Missing: ${request.missing.join(", ")}` : ""}</span>
        </li>
      ))}
    </ul>
  );
}

export function subject(request: RequestView): string {
  const opened = request.opened;
  return `${capital(requestType(opened?.type))} of ${opened?.group ? `group ${opened.group}` : opened?.resource}`;
}

export function direction(request: RequestView): string {
  const opened = request.opened;
  return opened?.fromSite && opened.targetSite && opened.fromSite !== opened.targetSite ? `${opened.fromSite} to ${opened.targetSite}` : opened?.targetSite || "";
}

function Line({ tenant, request }: { tenant: string; request: RequestView }) {
  const opened = request.opened;
  return (
    <div className="line">
      <Link href={`/t/${tenant}/requests/${request.requestId}`}>{subject(request)}</Link> <span className="quiet">{direction(request)}</span>
      {opened?.breakGlass && <strong className="text-red"> break-glass</strong>}
      <div className="small quiet">
        {opened?.reason} · {opened?.requester?.name || opened?.requester?.id}, <Ago at={opened?.openedAt} />
      </div>
    </div>
  );
}
