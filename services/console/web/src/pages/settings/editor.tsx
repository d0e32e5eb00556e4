// The text of manifests, with numbered lines, and the faults that the API found in it, each one click from its place.

import { useMutation } from "@tanstack/react-query";
import { type RefObject, useRef, useState } from "react";
import { newKey, planner, plans } from "../../api/clients.ts";
import type { Here } from "../../api/person.ts";
import { type Trouble, troubleOf } from "../../api/trouble.ts";
import { type AppliedDocument, ApplyAction } from "../../gen/muster/inventory/v1/planner_service_pb.ts";
import type { Lint } from "../../gen/muster/plan/v1/plan_pb.ts";
import { Changes } from "../../ui/changes.tsx";
import { Light } from "../../ui/light.tsx";
import { TroubleNotice } from "../../ui/states.tsx";
import { Findings, Graph } from "../plans/steps.tsx";
import { lineAt, placed } from "./faults.ts";
import { kindOf } from "./kinds.ts";
import { DraftSimulator } from "./simulator.tsx";

interface Checked {
  /** Of this check: another text is checked anew. */
  key: string;
  text: string;
  documents: AppliedDocument[];
  findings: Lint[];
}

/** A manifest is at most 1 MiB (muster_planner::manifest::MAX_BYTES). */
const MAX_BYTES = 1_048_576;

export function ManifestEditor({ here, beginning, applied }: { here: Here; beginning: string; applied: (documents: AppliedDocument[]) => void }) {
  const [text, setText] = useState(beginning);
  const area = useRef<HTMLTextAreaElement>(null);
  const { tenant } = here;
  const check = useMutation({
    mutationFn: async (manifest: string): Promise<Checked> => {
      const { documents } = await planner.apply({ tenant, manifest, dryRun: true, idempotencyKey: newKey() });
      const onePlan = documents.length === 1 && documents[0]?.document?.spec.case === "planSpec";
      const findings = onePlan ? (await plans.lintPlan({ tenant, manifest })).findings : [];
      return { key: newKey(), text: manifest, documents, findings };
    },
  });
  const apply = useMutation({
    mutationFn: async ({ text: manifest, key }: { text: string; key: string }) => {
      const { documents, version } = await planner.apply({ tenant, manifest, idempotencyKey: key });
      // What is read next is what was applied: otherwise the new document's page says that there is none.
      await planner.listDocuments({ tenant, minVersion: version, page: { pageSize: 1 } }).catch(() => undefined);
      return documents;
    },
    onSuccess: applied,
  });
  const [key, setKey] = useState(newKey);
  const current = check.data?.text === text ? check.data : undefined;
  const changes = current?.documents.some(({ action }) => action !== ApplyAction.UNCHANGED) ?? false;
  const hold = text.length > MAX_BYTES ? "A manifest is at most 1 MiB." : current === undefined ? "Check it first." : changes ? null : "It changes nothing.";
  const failed = check.error ?? apply.error;
  const goTo = (line: number) => {
    area.current?.focus();
    area.current?.setSelectionRange(...lineAt(text, line));
  };
  return (
    <div className="stack">
      <Lines
        area={area}
        text={text}
        change={(changed) => {
          setText(changed);
          setKey(newKey());
          check.reset();
          apply.reset();
        }}
        submit={() => check.mutate(text)}
      />
      <div className="actions">
        <button type="button" className="button" disabled={check.isPending || text.trim() === ""} onClick={() => check.mutate(text)}>
          {check.isPending ? "Checking" : "Check"}
        </button>
        <button type="button" className="button primary" disabled={hold !== null || apply.isPending} onClick={() => apply.mutate({ text, key })}>
          {apply.isPending ? "Applying" : "Apply"}
        </button>
        <span className="quiet small" aria-live="polite">
          {hold}
        </span>
      </div>
      {failed && <Faults trouble={troubleOf(failed)} goTo={goTo} />}
      {current && <Outcome tenant={tenant} checked={current} />}
    </div>
  );
}

interface Text {
  area: RefObject<HTMLTextAreaElement | null>;
  text: string;
  change: (text: string) => void;
  submit: () => void;
}

function Lines({ area, text, change, submit }: Text) {
  const gutter = useRef<HTMLPreElement>(null);
  const count = text.split("\n").length;
  return (
    <div className="editor">
      <pre ref={gutter} aria-hidden="true">
        {Array.from({ length: count }, (_, index) => index + 1).join("\n")}
      </pre>
      <textarea
        ref={area}
        aria-label="Manifest"
        aria-describedby="editor-keys"
        value={text}
        rows={Math.min(32, Math.max(14, count + 1))}
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        wrap="off"
        onChange={(event) => change(event.target.value)}
        onScroll={(event) => {
          if (gutter.current) gutter.current.scrollTop = event.currentTarget.scrollTop;
        }}
        onKeyDown={(event) => {
          // Tab leaves the field, as everywhere: a page that keeps the keyboard is a trap.
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            submit();
          }
        }}
      />
      <p id="editor-keys" className="visually-hidden">
        Control and Enter checks the text.
      </p>
    </div>
  );
}

function Faults({ trouble, goTo }: { trouble: Trouble; goTo: (line: number) => void }) {
  if (trouble.faults.length === 0) return <TroubleNotice trouble={trouble} />;
  return (
    <div className="notice red" role="alert">
      <p>
        <strong>Nothing was changed.</strong> To correct:
      </p>
      <ul className="faults">
        {trouble.faults.map(placed).map(({ line, field, text }, index) => (
          <li key={index}>
            {line !== undefined && (
              <button type="button" className="button small-button" onClick={() => goTo(line)}>
                Line {line}
              </button>
            )}
            <span>
              {field && <code>{field}</code>} {text}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

const ACTIONS: Record<ApplyAction, string> = {
  [ApplyAction.UNSPECIFIED]: "unknown",
  [ApplyAction.CREATED]: "new",
  [ApplyAction.CHANGED]: "changes",
  [ApplyAction.UNCHANGED]: "stays as it is",
};

/** What would change, before it does. */
function Outcome({ tenant, checked: { key, documents, findings } }: { tenant: string; checked: Checked }) {
  const policies = documents.flatMap(({ document }) => (document?.spec.case === "policySpec" ? [document] : []));
  const plan = documents.length === 1 && documents[0]?.document?.spec.case === "planSpec" ? documents[0].document.spec.value : undefined;
  return (
    <section className="stack" aria-label="What it would change">
      {documents.map(({ document, action, changes, warnings }) => (
        <div key={`${document?.kind}/${document?.name}`} className={`notice ${warnings.length > 0 ? "yellow" : "green"}`}>
          <p>
            <strong>
              {document && kindOf(document.kind)?.name} {document?.name}
            </strong>{" "}
            <Light tone={action === ApplyAction.UNCHANGED ? "neutral" : "active"}>{ACTIONS[action]}</Light>
          </p>
          {action === ApplyAction.CREATED ? (
            <details>
              <summary>{changes.length} fields</summary>
              <Changes changes={changes} />
            </details>
          ) : (
            <Changes changes={changes} />
          )}
          {warnings.map((warning) => (
            <p key={warning}>
              <Light tone="yellow">Probably not meant</Light> {warning}
            </p>
          ))}
        </div>
      ))}
      {policies.length > 0 && <DraftSimulator tenant={tenant} draft={{ key, policies }} />}
      {plan && (
        <>
          <h2>Linter</h2>
          <Findings findings={findings} />
          <h2>Steps</h2>
          <Graph phases={plan.phases} findings={findings} />
        </>
      )}
    </section>
  );
}
