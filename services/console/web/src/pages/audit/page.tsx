// The record: searched by resource, request, person, kind and time; newest first; exported as it is.

import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { audit, live } from "../../api/clients.ts";
import { troubleOf, type Trouble } from "../../api/trouble.ts";
import { type AuditRecord } from "../../gen/muster/audit/v1/audit_pb.ts";
import { ExportFormat } from "../../gen/muster/audit/v1/audit_service_pb.ts";
import { useFields } from "../../lib/address.ts";
import { save } from "../../lib/save.ts";
import { Older } from "../../ui/older.tsx";
import { Empty, hides, Loading, TroubleNotice } from "../../ui/states.tsx";
import { Moment } from "../../ui/time.tsx";
import { AuditParts } from "./parts.tsx";
import { ProofCheck } from "./proof.tsx";
import { filterOf, KINDS, SEARCH, type Search } from "./search.ts";
import "./audit.css";

const PAGE = 100;

export function AuditPage({ tenant }: { tenant: string }) {
  const [search, change] = useFields(SEARCH);
  const found = useInfiniteQuery({
    queryKey: ["audit", tenant, search],
    queryFn: ({ pageParam }) => audit.listEvents({ tenant, filter: filterOf(search), newestFirst: true, page: { pageSize: PAGE, pageToken: pageParam } }),
    initialPageParam: "",
    getNextPageParam: (last) => last.page?.nextPageToken || undefined,
    placeholderData: (before) => before,
  });
  const records = found.data?.pages.flatMap((page) => page.records) ?? [];
  return (
    <>
      <div className="head">
        <h1>Audit</h1>
        <p className="quiet">Everything that was decided, done, seen or refused. Nobody can change it.</p>
        <span className="grow" />
        <Export tenant={tenant} search={search} />
      </div>
      <AuditParts tenant={tenant} here="audit" />
      <Filters search={search} change={change} />
      {hides(found) ? (
        <TroubleNotice trouble={troubleOf(found.error)} retry={() => void found.refetch()} />
      ) : found.isPending ? (
        <Loading what="the record" />
      ) : records.length === 0 ? (
        <Empty title="No event fits">
          <button type="button" className="button" onClick={() => change({ resource: "", request: "", actor: "", kind: "", from: "", to: "" })}>
            Show everything
          </button>
        </Empty>
      ) : (
        <>
          <ol className={`events ${found.isPlaceholderData ? "older" : ""}`}>
            {records.map((record) => (
              <Event key={String(record.sequence)} tenant={tenant} record={record} />
            ))}
          </ol>
          <Older list={found} what="events" />
          {!found.hasNextPage && <p className="quiet">This is the beginning of the record{Object.values(search).some(Boolean) && ", as far as it fits"}.</p>}
        </>
      )}
    </>
  );
}

function Filters({ search, change }: { search: Search; change: (changes: Partial<Search>) => void }) {
  const field = (name: "resource" | "request" | "actor", label: string) => (
    <label className="field">
      {label}
      <input key={search[name]} defaultValue={search[name]} onBlur={(event) => change({ [name]: event.target.value.trim() })} name={name} autoComplete="off" />
    </label>
  );
  return (
    <search>
      <form
        className="fields audit-fields"
        onSubmit={(event) => {
          event.preventDefault();
          const data = new FormData(event.currentTarget);
          change(Object.fromEntries(SEARCH.map((name) => [name, String(data.get(name) ?? "").trim()])));
        }}
      >
        {field("resource", "Resource")}
        {field("request", "Request")}
        {field("actor", "Who")}
        <label className="field">
          What
          <select name="kind" value={search.kind} onChange={(event) => change({ kind: event.target.value })}>
            <option value="">Everything</option>
            {Object.entries(KINDS).map(([kind, { word }]) => (
              <option key={kind} value={kind}>
                {word}
              </option>
            ))}
          </select>
        </label>
        {(["from", "to"] as const).map((name) => (
          <label key={name} className="field">
            {name === "from" ? "From (your time)" : "To (your time)"}
            <input type="datetime-local" name={name} value={search[name]} onChange={(event) => change({ [name]: event.target.value })} />
          </label>
        ))}
        <button className="button">Search</button>
      </form>
    </search>
  );
}

function Event({ tenant, record }: { tenant: string; record: AuditRecord }) {
  const [open, setOpen] = useState(false);
  return (
    <li className="event">
      <span className="quiet mono number">{String(record.sequence)}</span>
      <span className="when">
        <Moment at={record.time} />
      </span>
      <EventText tenant={tenant} record={record} />
      <button type="button" className="button bare small-button" aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? "Less" : "More"}
        <span className="visually-hidden"> of event {String(record.sequence)}</span>
      </button>
      {open && <EventDetails record={record} />}
    </li>
  );
}

export function EventText({ tenant, record }: { tenant: string; record: AuditRecord }) {
  return (
    <div className="what">
      <code>{record.type}</code> <strong>{record.actor?.name || record.actor?.id}</strong> {record.outcome && <span>· {record.outcome}</span>}{" "}
      {record.resource && <Link href={aboutHref(tenant, record.resource)}>{record.resource}</Link>}{" "}
      {record.requestId && <Link href={`/t/${tenant}/requests/${record.requestId}`}>request</Link>}
      {record.reason && <p className="small quiet reason">{record.reason}</p>}
    </div>
  );
}

/** A declaration is about "site/ams", everything else about a resource or a group. */
export function aboutHref(tenant: string, about: string): string {
  return about.includes("/") ? `/t/${tenant}/settings/${about}` : `/t/${tenant}/resources/${about.replace(/^group-/, "")}`;
}

export function EventDetails({ record }: { record: AuditRecord }) {
  return (
    <div className="details stack">
      <dl className="facts">
        <dt>Stored</dt>
        <dd>
          <Moment at={record.storedAt} />
        </dd>
        <dt>Who</dt>
        <dd>
          <code>{record.actor?.id}</code>
        </dd>
        <dt>Aggregate</dt>
        <dd>
          <code>
            {record.aggregate} version {String(record.aggregateVersion)}
          </code>
        </dd>
        <dt>Event</dt>
        <dd>
          <code>{record.eventId}</code>
        </dd>
        <dt>SHA-256 of the stored bytes</dt>
        <dd>
          <code>{record.payloadSha256}</code>
        </dd>
      </dl>
      <ProofCheck record={record} />
      <pre tabIndex={0}>{pretty(record.payloadJson)}</pre>
    </div>
  );
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json || "It cannot be read: its key was destroyed, or it is empty.";
  }
}

const FORMATS = [
  { format: ExportFormat.JSON, word: "Export JSON", ending: "jsonl", media: "application/x-ndjson" },
  { format: ExportFormat.CSV, word: "Export CSV", ending: "csv", media: "text/csv" },
];
const KIB = 1024;

/** Streams what the filters leave into a file, with its progress. */
function Export({ tenant, search }: { tenant: string; search: Search }) {
  const [progress, setProgress] = useState<number | null>(null);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const run = async ({ format, ending, media }: (typeof FORMATS)[number]) => {
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    let size = 0;
    setTrouble(null);
    setProgress(0);
    try {
      for await (const { chunk } of live.audit.exportEvents({ tenant, filter: filterOf(search), format })) {
        pieces.push(new Uint8Array(chunk));
        size += chunk.length;
        setProgress(size);
      }
      save(new Blob(pieces, { type: media }), `muster-${tenant}-audit.${ending}`);
    } catch (error) {
      setTrouble(troubleOf(error));
    }
    setProgress(null);
  };
  return (
    <div className="actions">
      <span className="small quiet" role="status">
        {progress !== null && `${Math.ceil(progress / KIB)} KiB so far`}
      </span>
      {FORMATS.map((choice) => (
        <button key={choice.ending} type="button" className="button small-button" disabled={progress !== null} onClick={() => void run(choice)}>
          {choice.word}
        </button>
      ))}
      {trouble && <TroubleNotice trouble={trouble} />}
    </div>
  );
}
