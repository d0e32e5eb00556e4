// Asking for a run. Who must approve is shown before anything is sent.

import * as Ariakit from "@ariakit/react";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { useLocation } from "wouter";
import { approval, executor, newKey } from "../../api/clients.ts";
import { useHere } from "../../api/person.ts";
import { troubleOf } from "../../api/trouble.ts";
import { RequestType } from "../../gen/muster/request/v1/request_pb.ts";
import { Role } from "../../gen/muster/common/v1/common_pb.ts";
import { capital, checkOutcome, gateLevel, policySource, requestType, typeName, verdict } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { TroubleNotice } from "../../ui/states.tsx";
import { ScopeOptions } from "./scope-options.tsx";
import { type Scope, scopeOf, scopeValue, useScopes } from "./scopes.ts";
import { CHECK_TONES, VERDICT_TONES } from "./tones.ts";

const TYPES: { type: RequestType; says: string }[] = [
  { type: RequestType.SWITCHOVER, says: "Planned move, both sides healthy." },
  { type: RequestType.FAILOVER, says: "Unplanned move, the primary is lost." },
  { type: RequestType.FAILBACK, says: "Back to the original site." },
  { type: RequestType.ROTATION, says: "A planned move that is meant to stay." },
  { type: RequestType.READINESS_DRILL, says: "Checks only. Nothing is touched." },
  { type: RequestType.ISOLATED_DRILL, says: "A copy is started apart from production, asked and removed." },
  { type: RequestType.TABLETOP_DRILL, says: "People step through the plan. Nothing is touched." },
  { type: RequestType.LIVE_DRILL, says: "Over and back again, in production." },
];

/** The emergency path is for emergencies: drills wait for their approvals. */
const MOVES = new Set([RequestType.SWITCHOVER, RequestType.FAILOVER, RequestType.FAILBACK, RequestType.ROTATION]);

/** A failback goes home, and drills rehearse the other site: those need no choice. */
const CHOOSES_SITE = new Set([RequestType.SWITCHOVER, RequestType.FAILOVER, RequestType.ROTATION]);
const siteOf = (draft: Draft) => (CHOOSES_SITE.has(draft.type) ? draft.site : "");

function typed(type: RequestType, glass: boolean): Partial<Draft> {
  return { type, glass: glass && MOVES.has(type) };
}

const BREAK_GLASS_MINUTES = 60;
/** A preflight looks at every node itself. */
const PREFLIGHT_LIMIT_MS = 60_000;

export function OpenRequest({ tenant, scope, from, to }: { tenant: string; scope?: Scope; from?: string; to?: string }) {
  const [open, setOpen] = useState(false);
  const here = useHere(tenant);
  // Admins open by break-glass only.
  const glassOnly = !here.roles.includes(Role.OPERATOR);
  return (
    <>
      <button type="button" className={`button ${glassOnly ? "" : "primary"}`} onClick={() => setOpen(true)}>
        {glassOnly ? "Break glass" : scope ? "Request a move or drill" : "New request"}
      </button>
      {open && <OpenDialog tenant={tenant} scope={scope} from={from} to={to} glassOnly={glassOnly} close={() => setOpen(false)} />}
    </>
  );
}

interface Draft {
  scope: Scope;
  type: RequestType;
  site: string;
  reason: string;
  ticket: string;
  glass: boolean;
  incident: string;
}

function OpenDialog({ tenant, scope, to, glassOnly, close }: { tenant: string; scope?: Scope; from?: string; to?: string; glassOnly: boolean; close: () => void }) {
  const choices = useScopes(tenant);
  const [key] = useState(newKey);
  const [, go] = useLocation();
  const queries = useQueryClient();
  const form = useId();
  const [draft, setDraft] = useState<Draft>({
    scope: scope ?? { case: "resource", name: "" },
    type: glassOnly ? RequestType.FAILOVER : RequestType.SWITCHOVER,
    site: to ?? "",
    reason: "",
    ticket: "",
    glass: glassOnly,
    incident: "",
  });
  const set = (changes: Partial<Draft>) => setDraft((before) => ({ ...before, ...changes }));
  const named = draft.scope.name !== "";
  const policy = useQuery({
    queryKey: ["policy", tenant, draft.scope, draft.type],
    queryFn: () => approval.explainPolicy({ tenant, type: draft.type, [draft.scope.case]: draft.scope.name }),
    enabled: named,
  });
  const preflight = useMutation({
    mutationFn: async () =>
      (await executor.preflight(
        { tenant, type: typeName(draft.type), [draft.scope.case]: draft.scope.name, targetSite: siteOf(draft), idempotencyKey: newKey() },
        { timeoutMs: PREFLIGHT_LIMIT_MS },
      )).report,
  });
  const opening = useMutation({
    mutationFn: () =>
      approval.openRequest({
        tenant,
        type: draft.type,
        [draft.scope.case]: draft.scope.name,
        targetSite: siteOf(draft),
        reason: draft.reason.trim(),
        ticket: draft.ticket.trim(),
        idempotencyKey: key,
        preflightId: preflight.data?.preflightId ?? "",
        breakGlass: draft.glass ? { incident: draft.incident.trim(), reason: draft.reason.trim(), limit: durationFromMs(BREAK_GLASS_MINUTES * 60_000) } : undefined,
      }),
    onSuccess: ({ request }) => {
      void queries.invalidateQueries({ queryKey: ["requests", tenant] });
      go(`/t/${tenant}/requests/${request?.requestId}`);
    },
  });
  const hold = holdUp(draft, policy.data?.requireTicket ?? false);
  const here = useHere(tenant);
  return (
    <Ariakit.Dialog open onClose={close} className="dialog" backdrop={<div className="backdrop" />} preventBodyScroll>
      <Ariakit.DialogHeading render={<h2 />}>{draft.glass ? "Break glass" : "New request"}</Ariakit.DialogHeading>
      <form
        id={form}
        onSubmit={(event) => {
          event.preventDefault();
          if (!hold && !opening.isPending) opening.mutate();
        }}
      >
        {!scope && (
          <label className="field">
            What
            <select value={scopeValue(draft.scope)} onChange={(event) => set({ scope: scopeOf(event.target.value) })} autoFocus>
              <option value="resource/">Choose a resource or group</option>
              <ScopeOptions scopes={choices.data?.scopes} />
            </select>
          </label>
        )}
        <label className="field">
          Type
          <select value={draft.type} onChange={(event) => set(typed(Number(event.target.value), draft.glass))}>
            {TYPES.filter(({ type }) => !glassOnly || MOVES.has(type)).map(({ type }) => (
              <option key={type} value={type}>
                {capital(requestType(type))}
              </option>
            ))}
          </select>
          <span className="hint">{TYPES.find(({ type }) => type === draft.type)?.says}</span>
        </label>
        {CHOOSES_SITE.has(draft.type) && (
          <label className="field">
            Target site
            <select value={draft.site} onChange={(event) => set({ site: event.target.value })}>
              <option value="">Choose a site</option>
              {(choices.data?.sites ?? (to ? [to] : [])).map((site) => (
                <option key={site} value={site}>
                  {site}
                </option>
              ))}
            </select>
          </label>
        )}
        <label className="field">
          Reason
          <textarea value={draft.reason} maxLength={2000} onChange={(event) => set({ reason: event.target.value })} />
        </label>
        <label className="field">
          {policy.data?.requireTicket ? "Ticket (the policy asks for one)" : "Ticket (optional)"}
          <input value={draft.ticket} maxLength={200} onChange={(event) => set({ ticket: event.target.value })} />
        </label>
        {!glassOnly && MOVES.has(draft.type) && (
          <label className="actions">
            <input type="checkbox" checked={draft.glass} onChange={(event) => set({ glass: event.target.checked })} />
            Break glass: emergency, approvers cannot be reached
          </label>
        )}
        {draft.glass && (
          <div className="notice red">
            <p>It can be started without approvals for {BREAK_GLASS_MINUTES} minutes. Everybody who is skipped is told at once, and a review must follow.</p>
            <label className="field">
              Incident
              <input value={draft.incident} maxLength={200} onChange={(event) => set({ incident: event.target.value })} />
            </label>
          </div>
        )}
        {named && policy.data && (
          <p>
            Who must approve: <strong>{policy.data.text || "nobody"}</strong> <span className="quiet">({policySource(policy.data.policy?.source)}, gate {gateLevel(policy.data.gate)})</span>
            {policy.data.freeze && <strong className="text-yellow"> Change freeze: {policy.data.freeze}</strong>}
          </p>
        )}
        {preflight.data && <PreflightResult report={preflight.data} />}
        {preflight.error && <TroubleNotice trouble={troubleOf(preflight.error)} />}
        {opening.error && <TroubleNotice trouble={troubleOf(opening.error)} />}
        <div className="actions">
          <button type="submit" className={`button ${draft.glass ? "danger" : "primary"}`} disabled={hold !== null || opening.isPending}>
            {opening.isPending ? "Opening" : draft.glass ? "Open with break-glass" : "Open request"}
          </button>
          {here.may("ExecutorService/Preflight") && (
            <button type="button" className="button" disabled={!named || (CHOOSES_SITE.has(draft.type) && draft.site === "") || preflight.isPending} onClick={() => preflight.mutate()}>
              {preflight.isPending ? "Checking" : "Check now"}
            </button>
          )}
          <button type="button" className="button bare" onClick={close}>
            Cancel
          </button>
          <span className="quiet small" aria-live="polite">
            {hold}
          </span>
        </div>
      </form>
    </Ariakit.Dialog>
  );
}

/** What is still missing in the form, in words. */
export function holdUp(draft: Draft, ticket: boolean): string | null {
  if (!draft.scope.name) return "Choose what is meant.";
  if (CHOOSES_SITE.has(draft.type) && !draft.site) return "Choose the target site.";
  if (!draft.reason.trim()) return "A reason is needed.";
  if (ticket && !draft.ticket.trim()) return "The policy asks for a ticket.";
  if (draft.glass && !draft.incident.trim()) return "An incident is needed.";
  return null;
}

type Report = NonNullable<Awaited<ReturnType<typeof executor.preflight>>["report"]>;

/** Every check with its value and limit; what is wrong first. */
export function PreflightResult({ report }: { report: Report }) {
  const bad = report.checks.filter((check) => checkOutcome(check.outcome) !== "passed");
  return (
    <section className="notice" aria-label="Preflight">
      <p>
        <Light tone={VERDICT_TONES[report.verdict]}>{verdict(report.verdict)}</Light> {report.checks.length - bad.length} of {report.checks.length} checks passed.
      </p>
      <ul>
        {bad.map((check) => (
          <li key={`${check.resource}/${check.name}`}>
            <Light tone={CHECK_TONES[check.outcome]}>{checkOutcome(check.outcome)}</Light> {check.resource && <strong>{check.resource}</strong>} {check.text}{" "}
            <span className="quiet">
              {check.value}
              {check.limit && ` (limit ${check.limit})`}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
