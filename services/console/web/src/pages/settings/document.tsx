// One declared document: its text, its history, and for who may, its change.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation, useSearchParams } from "wouter";
import { planner } from "../../api/clients.ts";
import { type Here, useHere } from "../../api/person.ts";
import type { AppliedDocument } from "../../gen/muster/inventory/v1/planner_service_pb.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { Answer, Empty } from "../../ui/states.tsx";
import { TestRoute } from "../messages/page.tsx";
import { ManifestEditor } from "./editor.tsx";
import { DocumentHistory } from "./history.tsx";
import { BEGINNINGS, type KindInfo, KINDS, kindOf, kindOfName, kindOfToken } from "./kinds.ts";
import { TemplatePreview } from "./preview.tsx";
import "./settings.css";

/** The manifest, as the planner writes it. */
async function manifestOf(tenant: string, kind: KindInfo, name: string): Promise<string> {
  const answer = await fetch(`/t/${encodeURIComponent(tenant)}/documents/${kind.token}/${encodeURIComponent(name)}`, { redirect: "error" });
  if (!answer.ok) throw new Error(`The text of ${kind.name} ${name} cannot be read (${answer.status}).`);
  return answer.text();
}

export function DocumentPage({ tenant, token, name }: { tenant: string; token: string; name: string }) {
  const kind = kindOfToken(token);
  return (
    <>
      <p className="crumbs">
        <Link href={`/t/${tenant}/settings`}>Settings</Link> / <Link href={`/t/${tenant}/settings?kind=${token}`}>{kind?.plural ?? token}</Link> / {name}
      </p>
      {kind ? <OneDocument key={`${token}/${name}`} tenant={tenant} kind={kind} name={name} /> : <Empty whole title="There is no such kind of document" />}
    </>
  );
}

function OneDocument({ tenant, kind, name }: { tenant: string; kind: KindInfo; name: string }) {
  const here = useHere(tenant);
  const queries = useQueryClient();
  const [, go] = useLocation();
  const [done, setDone] = useState("");
  const key = ["manifest", tenant, kind.token, name];
  const query = useQuery({
    queryKey: key,
    queryFn: async () => {
      const { document } = await planner.getDocument({ tenant, kind: kind.kind, name });
      return document ? { document, text: await manifestOf(tenant, kind, name) } : null;
    },
    // The text is being edited: it is read again when it was changed here, and not under the person's hands.
    staleTime: Infinity,
    refetchOnWindowFocus: false,
  });
  const changed = async (what: string) => {
    setDone(what);
    await Promise.all([queries.invalidateQueries({ queryKey: key }), queries.invalidateQueries({ queryKey: ["documents", tenant] }), queries.invalidateQueries({ queryKey: ["changes", tenant, kind.token, name] })]);
  };
  const edits = here.may("PlannerService/Apply");
  return (
    <Answer query={query} what={name} heading={name}>
      {(found) =>
        found === null ? (
          <Empty whole title={`There is no ${kind.name} ${name}`} />
        ) : (
          <div className="stack">
            <div className="head">
              <h1>{name}</h1>
              <span className="quiet">
                {kind.name}, version {String(found.document.version)}
                {found.document.retired && ", retired"}
              </span>
              <span className="grow" />
              {kind.name === "NotificationRoute" && here.may("NotifierService/TestRoute") && <TestRoute here={here} routes={[name]} chosen={name} sent={() => go(`/t/${tenant}/messages?route=${name}`)} />}
              {here.may("PlannerService/RetireDocument") && !found.document.retired && <Retire here={here} kind={kind} name={name} changed={() => changed("It is retired.")} />}
            </div>
            <p role="status">{done && <span className="notice green">{done}</span>}</p>
            {edits ? (
              <ManifestEditor key={String(found.document.version)} here={here} beginning={found.text} applied={(documents) => void changed(said(documents))} />
            ) : (
              <pre tabIndex={0}>{found.text}</pre>
            )}
            {found.document.spec.case === "messageTemplateSpec" && <TemplatePreview tenant={tenant} template={found.document.spec.value} />}
            <DocumentHistory tenant={tenant} kind={kind.token} name={name} />
          </div>
        )
      }
    </Answer>
  );
}

const said = (documents: readonly AppliedDocument[]): string =>
  `Applied: ${documents.map(({ document }) => `${document ? kindOf(document.kind)?.name : ""} ${document?.name}, version ${document?.version}`).join("; ")}.`;

function Retire({ here, kind, name, changed }: { here: Here; kind: KindInfo; name: string; changed: () => Promise<unknown> }) {
  return (
    <AskButton
      label="Retire"
      title={`Take ${kind.name} ${name} out of use`}
      confirm="Retire it"
      danger
      small
      text={{ label: "Reason", required: true, long: true }}
      act={(reason, idempotencyKey) => planner.retireDocument({ tenant: here.tenant, kind: kind.kind, name, reason, idempotencyKey }).then(changed)}
    >
      <p>Its history stays, and everything that was done under it. What still needs it is named, and then nothing happens.</p>
    </AskButton>
  );
}

export function NewDocument({ tenant }: { tenant: string }) {
  const here = useHere(tenant);
  const [query, setQuery] = useSearchParams();
  const [, go] = useLocation();
  const queries = useQueryClient();
  const kind = kindOfName(query.get("kind") ?? "") ?? kindOfName("Resource");
  const applied = (documents: readonly AppliedDocument[]) => {
    void queries.invalidateQueries({ queryKey: ["documents", tenant] });
    const first = documents[0]?.document;
    go(first ? `/t/${tenant}/settings/${kindOf(first.kind)?.token}/${first.name}` : `/t/${tenant}/settings`);
  };
  return (
    <>
      <p className="crumbs">
        <Link href={`/t/${tenant}/settings`}>Settings</Link> / new document
      </p>
      <h1>New document</h1>
      {here.may("PlannerService/Apply") ? (
        <>
          <p className="quiet">Begin with an example, or paste a whole manifest: several documents are applied together, all or none.</p>
          <div className="chips" role="group" aria-label="Example">
            {KINDS.filter(({ name }) => name in BEGINNINGS).map((info) => (
              <button key={info.name} type="button" className="chip" aria-pressed={info === kind} onClick={() => setQuery({ kind: info.name }, { replace: true })}>
                {info.name}
              </button>
            ))}
          </div>
          <ManifestEditor key={kind?.name} here={here} beginning={BEGINNINGS[kind?.name ?? ""] ?? ""} applied={applied} />
        </>
      ) : (
        <Empty title="An admin declares documents">
          <p className="quiet">Your roles here do not include it.</p>
        </Empty>
      )}
    </>
  );
}
