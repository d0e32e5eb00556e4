// Settings: what is declared, who must approve, how far things may go by themselves, who may do what.

import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { planner } from "../../api/clients.ts";
import { useHere } from "../../api/person.ts";
import { troubleOf } from "../../api/trouble.ts";
import type { Document } from "../../gen/muster/inventory/v1/inventory_pb.ts";
import { useFields } from "../../lib/address.ts";
import { Light } from "../../ui/light.tsx";
import { Older } from "../../ui/older.tsx";
import { Scroll } from "../../ui/scroll.tsx";
import { Empty, hides, Loading, TroubleNotice } from "../../ui/states.tsx";
import { Ago } from "../../ui/time.tsx";
import { subjectOf } from "../requests/opener.ts";
import { GatesPart } from "./gates.tsx";
import { KINDS, kindOf, kindOfToken } from "./kinds.ts";
import { NewDocument } from "./document.tsx";
import { type Part, Parts, PARTS } from "./parts.tsx";
import { PeoplePart } from "./people.tsx";
import { PolicyPart } from "./simulator.tsx";
import "./settings.css";

export function SettingsPage({ tenant, part }: { tenant: string; part: string }) {
  if (part === "new") return <NewDocument tenant={tenant} />;
  if (!(part in PARTS)) {
    return (
      <Empty whole title="There is no such page of the settings">
        <Link href={`/t/${tenant}/settings`}>Go to the settings</Link>
      </Empty>
    );
  }
  return (
    <>
      <h1>Settings</h1>
      <Parts tenant={tenant} here={part as Part} />
      {part === "" && <Documents tenant={tenant} />}
      {part === "who-must-approve" && <PolicyPart tenant={tenant} />}
      {part === "gates" && <GatesPart tenant={tenant} />}
      {part === "people" && <PeoplePart tenant={tenant} />}
    </>
  );
}

const PAGE = 100;

function Documents({ tenant }: { tenant: string }) {
  const here = useHere(tenant);
  const [{ kind: token, retired }, change] = useFields(["kind", "retired"]);
  const kind = kindOfToken(token);
  const list = useInfiniteQuery({
    queryKey: ["documents", tenant, token, retired],
    queryFn: ({ pageParam }) => planner.listDocuments({ tenant, kind: kind?.kind, includeRetired: retired === "yes", page: { pageSize: PAGE, pageToken: pageParam } }),
    initialPageParam: "",
    getNextPageParam: (last) => last.page?.nextPageToken || undefined,
    placeholderData: (before) => before,
  });
  const found = list.data?.pages.flatMap((page) => page.documents) ?? [];
  return (
    <>
      <div className="fields">
        <div className="chips all" role="group" aria-label="Kind">
          <button type="button" className="chip" aria-pressed={!kind} onClick={() => change({ kind: "" })}>
            All
          </button>
          {KINDS.map((info) => (
            <button key={info.token} type="button" className="chip" aria-pressed={info === kind} onClick={() => change({ kind: info.token })}>
              {info.plural}
            </button>
          ))}
        </div>
        <span className="grow" />
        <label className="actions">
          <input type="checkbox" checked={retired === "yes"} onChange={(event) => change({ retired: event.target.checked ? "yes" : "" })} />
          Retired too
        </label>
        {here.may("PlannerService/Apply") && (
          <Link className="button primary" href={`/t/${tenant}/settings/new?kind=${kind?.name ?? "Resource"}`}>
            {kind ? `New ${kind.name.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase()}` : "New document"}
          </Link>
        )}
      </div>
      {hides(list) ? (
        <TroubleNotice trouble={troubleOf(list.error)} retry={() => void list.refetch()} />
      ) : list.isPending ? (
        <Loading what="what is declared" />
      ) : found.length === 0 ? (
        <Empty title={kind ? `No ${kind.name} is declared` : "Nothing is declared yet"}>
          {kind && <p className="quiet">{kind.name}: {kind.says}.</p>}
        </Empty>
      ) : (
        <List tenant={tenant} documents={found} />
      )}
      <Older list={list} what="documents" />
    </>
  );
}

function List({ tenant, documents }: { tenant: string; documents: Document[] }) {
  return (
    <Scroll label="Documents" className="panel">
      <table className="cards">
        <thead>
          <tr>
            <th>Name</th>
            <th>Kind</th>
            <th>Version</th>
            <th>Declared</th>
            <th>By</th>
          </tr>
        </thead>
        <tbody>
          {documents.map((document) => {
            const kind = kindOf(document.kind);
            return (
              <tr key={`${document.kind}/${document.name}`}>
                <td>
                  <Link href={`/t/${tenant}/settings/${kind?.token}/${document.name}`}>
                    <strong>{document.name}</strong>
                  </Link>{" "}
                  {document.retired && <Light tone="neutral">Retired</Light>}
                </td>
                <td>{kind?.name}</td>
                <td data-label="Version">{String(document.version)}</td>
                <td data-label="Declared">
                  <Ago at={document.declaredAt} />
                </td>
                <td data-label="By" title={document.declaredBy}>{subjectOf(document.declaredBy)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scroll>
  );
}
