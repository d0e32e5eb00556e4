// Requests: first what waits for the person who looks, then all.

import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { approval } from "../../api/clients.ts";
import { RequestState, type RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { useHere } from "../../api/person.ts";
import { troubleOf } from "../../api/trouble.ts";
import { useFields } from "../../lib/address.ts";
import { capital, requestState, requestType } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { Older } from "../../ui/older.tsx";
import { Empty, hides, Loading, TroubleNotice } from "../../ui/states.tsx";
import { Ago } from "../../ui/time.tsx";
import { OpenRequest } from "./open.tsx";
import { opener } from "./opener.ts";
import { stateTone } from "./tones.ts";
import { UNDER_WAY, useInbox } from "./waiting.ts";
import "./requests.css";

const PAGE = 50;
/** Of an inbox at first: a page of thousands of lines answers slowly. */
const SHOWN = 200;
const ASK_EVERY_MS = 5_000;
const OPEN = new Set(UNDER_WAY);
const ENDED = [RequestState.DENIED, RequestState.WITHDRAWN, RequestState.EXPIRED, RequestState.SUCCEEDED, RequestState.FAILED, RequestState.STOPPED];
const SHOWS = { all: "All", open: "Under way", ended: "Ended", "break-glass": "Break-glass" } as const;

function useList(tenant: string, show: string) {
  return useInfiniteQuery({
    queryKey: ["requests", tenant, "list", show],
    queryFn: ({ pageParam }) =>
      approval.listRequests({
        tenant,
        states: show === "open" ? UNDER_WAY : show === "ended" ? ENDED : [],
        breakGlass: show === "break-glass",
        page: { pageSize: PAGE, pageToken: pageParam },
      }),
    initialPageParam: "",
    getNextPageParam: (last) => last.page?.nextPageToken || undefined,
    refetchInterval: ASK_EVERY_MS,
    placeholderData: (before) => before,
  });
}

export function RequestsPage({ tenant }: { tenant: string }) {
  const here = useHere(tenant);
  const { waiting: inbox, doubts, error: unknown } = useInbox(tenant);
  const [every, showEvery] = useState(false);
  const [fields, change] = useFields(["show"]);
  const show = fields.show || "all";
  const list = useList(tenant, show);
  const requests = list.data?.pages.flatMap((page) => page.requests) ?? [];
  return (
    <>
      <div className="head">
        <h1>Requests</h1>
        <span className="grow" />
        <Link className="button" href={`/t/${tenant}/delegations`}>
          Delegations
        </Link>
        {here.may("ApprovalService/OpenRequest") && <OpenRequest tenant={tenant} />}
      </div>
      <section aria-labelledby="waiting" className="stack">
        <h2 id="waiting">Waiting for you</h2>
        {!inbox ? (
          unknown ? (
            <p className="text-unknown">What waits for you is not known now.</p>
          ) : (
            <Loading what="what waits for you" rows={1} />
          )
        ) : inbox.length === 0 ? (
          doubts.length === 0 && <p className="quiet">Nothing waits for you.</p>
        ) : (
          <ul className="inbox">
            {inbox.slice(0, every ? undefined : SHOWN).map(({ request, what }) => (
              <li key={request.requestId}>
                <strong>{what}</strong>
                <Line tenant={tenant} request={request} />
              </li>
            ))}
          </ul>
        )}
        {inbox && inbox.length > SHOWN && !every && (
          <button type="button" className="button" onClick={() => showEvery(true)}>
            Show all {inbox.length.toLocaleString("en")} that wait for you
          </button>
        )}
        {doubts.map((doubt) => (
          <p key={doubt} className="notice yellow" role="status">
            {doubt}
          </p>
        ))}
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
        {hides(list) ? (
          <TroubleNotice trouble={troubleOf(list.error)} retry={() => void list.refetch()} />
        ) : list.isPending ? (
          <Loading what="requests" />
        ) : requests.length === 0 ? (
          <Empty title={show === "all" ? "Nobody has asked for anything yet" : "No request fits"}>
            <p>{show === "all" ? "An operator opens a request here or on a resource’s page." : "Choose another list above."}</p>
          </Empty>
        ) : (
          <List tenant={tenant} requests={requests} />
        )}
        <Older list={list} what="requests" />
      </section>
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
        {opened?.reason} · {opener(opened)}, <Ago at={opened?.openedAt} />
      </div>
    </div>
  );
}
