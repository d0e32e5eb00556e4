// One plan: what it does and in which order, what the linter says, who published it, whether it was ever proven.

import * as Ariakit from "@ariakit/react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { executor, newKey, plans } from "../../api/clients.ts";
import { type Here, useHere } from "../../api/person.ts";
import { troubleOf } from "../../api/trouble.ts";
import { LintSeverity, PlanState, type PlanView } from "../../gen/muster/plan/v1/plan_pb.ts";
import { RenderFormat } from "../../gen/muster/plan/v1/plan_service_pb.ts";
import { save } from "../../lib/save.ts";
import { humane, instant, milliseconds } from "../../lib/time.ts";
import { capital, planState } from "../../lib/words.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { Light } from "../../ui/light.tsx";
import { Markdown } from "../../ui/markdown.tsx";
import { ProofLight } from "../../ui/proof.tsx";
import { Answer, Empty, TroubleNotice } from "../../ui/states.tsx";
import { Ago, Moment } from "../../ui/time.tsx";
import { OpenRequest, PreflightResult } from "../requests/open.tsx";
import { DocumentHistory } from "../settings/history.tsx";
import { Findings, Graph } from "./steps.tsx";
import { Scroll } from "../../ui/scroll.tsx";
import "./plans.css";

export function PlanPage({ tenant, name }: { tenant: string; name: string }) {
  const query = useQuery({ queryKey: ["plan", tenant, name], queryFn: async () => (await plans.getPlan({ tenant, name })).plan ?? null, refetchInterval: 5_000 });
  return (
    <>
      <p className="crumbs">
        <Link href={`/t/${tenant}/plans`}>Plans</Link> / {name}
      </p>
      <Answer query={query} what="the plan" heading={name}>
        {(plan) => (plan ? <Plan tenant={tenant} plan={plan} /> : <Empty whole title="There is no such plan" />)}
      </Answer>
    </>
  );
}

function Plan({ tenant, plan }: { tenant: string; plan: PlanView }) {
  const here = useHere(tenant);
  const queries = useQueryClient();
  const changed = () => queries.invalidateQueries({ queryKey: ["plan", tenant, plan.name] });
  const spec = plan.spec;
  const scope = spec?.scope;
  return (
    <div className="stack">
      <div className="head">
        <h1>{plan.name}</h1>
        <Light tone={plan.state === PlanState.PUBLISHED ? "green" : "neutral"}>{capital(planState(plan.state))}</Light>
        <ProofLight plan={plan} />
        <span className="grow" />
        <Link className="button" href={`/t/${tenant}/settings/plan/${plan.name}`}>
          {here.may("PlannerService/Apply") ? "Edit" : "Text"}
        </Link>
        {scope?.case && here.may("ApprovalService/OpenRequest") && <OpenRequest tenant={tenant} scope={{ case: scope.case, name: scope.value }} to={spec?.toSite} />}
      </div>
      <p className="quiet">
        {spec?.displayName && `${spec.displayName} · `}
        {scope?.case ? `${scope.case} ${scope.value}` : "moves nothing"} · {spec?.fromSite} to {spec?.toSite} · RTO {spec?.rto ? humane(milliseconds(spec.rto)) : "no target"} · owner{" "}
        {spec?.owner || "nobody"}
      </p>
      {spec?.description && <p>{spec.description}</p>}
      <Proof tenant={tenant} plan={plan} />
      <Life here={here} plan={plan} changed={changed} />
      <Ariakit.TabProvider>
        <Ariakit.TabList className="tabs" aria-label="Views of the plan">
          <Ariakit.Tab>Steps</Ariakit.Tab>
          <Ariakit.Tab>Linter ({plan.findings.length})</Ariakit.Tab>
          <Ariakit.Tab>Tests and runs</Ariakit.Tab>
          <Ariakit.Tab>Versions</Ariakit.Tab>
          <Ariakit.Tab>Document</Ariakit.Tab>
          <Ariakit.Tab>Preflight</Ariakit.Tab>
        </Ariakit.TabList>
        <Ariakit.TabPanel>
          <Graph phases={plan.spec?.phases ?? []} findings={plan.findings} />
        </Ariakit.TabPanel>
        <Ariakit.TabPanel>
          <Findings findings={plan.findings} />
        </Ariakit.TabPanel>
        <Ariakit.TabPanel>
          <Tests tenant={tenant} plan={plan} />
        </Ariakit.TabPanel>
        <Ariakit.TabPanel unmountOnHide>
          <DocumentHistory tenant={tenant} kind="plan" name={plan.name} />
        </Ariakit.TabPanel>
        <Ariakit.TabPanel unmountOnHide>
          <PlanDocument tenant={tenant} name={plan.name} />
        </Ariakit.TabPanel>
        <Ariakit.TabPanel>
          <PlanPreflight here={here} plan={plan} />
        </Ariakit.TabPanel>
      </Ariakit.TabProvider>
    </div>
  );
}

function Proof({ tenant, plan }: { tenant: string; plan: PlanView }) {
  const last = plan.tests[0];
  return (
    <p>
      {plan.proofText || "Nothing is known about its proof."}{" "}
      {plan.provenUntil && (
        <>
          Proven until <Moment at={plan.provenUntil} />.{" "}
        </>
      )}
      {last && (
        <>
          Last: <Link href={`/t/${tenant}/requests/${last.requestId}`}>{last.type}</Link>, <Ago at={last.at} />, {last.passed ? "passed" : "failed"}.
        </>
      )}
    </p>
  );
}

/** Draft, review, publication: by two people. */
function Life({ here, plan, changed }: { here: Here; plan: PlanView; changed: () => Promise<unknown> }) {
  const names = { tenant: here.tenant, name: plan.name };
  const errors = plan.findings.filter((finding) => finding.severity === LintSeverity.ERROR).length;
  const submitter = plan.submitted?.actor;
  const own = plan.state === PlanState.IN_REVIEW && submitter?.id === here.person.id;
  return (
    <div className="stack">
      {plan.state === PlanState.IN_REVIEW && submitter && (
        <p className="notice">
          Submitted by {submitter.name}, <Ago at={plan.submitted?.submittedAt} />. Somebody else publishes it or sends it back.
        </p>
      )}
      {plan.state === PlanState.DRAFT && plan.returned && (
        <p className="notice yellow">
          Sent back by {plan.returned.actor?.name}: {plan.returned.reason}
        </p>
      )}
      {plan.publication && (
        <p className="quiet">
          Published: version {String(plan.published?.version)} by {plan.publication.actor?.name}, <Ago at={plan.publication.publishedAt} />
          {plan.newest && plan.published && plan.newest.version !== plan.published.version && `. Version ${plan.newest.version} is newer and not published.`}
        </p>
      )}
      <div className="actions">
        {plan.state === PlanState.DRAFT && here.may("PlanService/SubmitPlan") && (
          <AskButton
            label="Submit for review"
            title={`Submit version ${plan.newest?.version} of ${plan.name}`}
            confirm="Submit"
            primary
            impossible={errors > 0 ? `The linter found ${errors} errors. Mend them first.` : null}
            act={(_, idempotencyKey) => plans.submitPlan({ ...names, planVersion: plan.newest?.version, idempotencyKey }).then(changed)}
          />
        )}
        {plan.state === PlanState.IN_REVIEW && here.may("PlanService/PublishPlan") && (
          <AskButton
            label="Publish"
            title={`Publish version ${plan.newest?.version} of ${plan.name}`}
            confirm="Publish"
            primary
            impossible={own ? "You submitted it yourself: somebody else publishes it." : null}
            text={{ label: "Note (optional)", long: true }}
            act={(note, idempotencyKey) => plans.publishPlan({ ...names, hash: plan.submitted?.plan?.hash, note, idempotencyKey }).then(changed)}
          >
            <p>
              From then on runs of its scope use this text: <code>{plan.submitted?.plan?.hash.slice(0, 16)}</code>
            </p>
          </AskButton>
        )}
        {plan.state === PlanState.IN_REVIEW && here.may("PlanService/ReturnPlan") && (
          <AskButton
            label="Send back"
            title={`Send ${plan.name} back`}
            confirm="Send back"
            text={{ label: "What is wrong", required: true, long: true }}
            act={(reason, idempotencyKey) => plans.returnPlan({ ...names, reason, idempotencyKey }).then(changed)}
          />
        )}
      </div>
    </div>
  );
}

function Tests({ tenant, plan }: { tenant: string; plan: PlanView }) {
  if (plan.tests.length === 0) return <p className="text-unknown">It was never tested or run.</p>;
  const target = milliseconds(plan.spec?.rto);
  const longest = Math.max(target ?? 0, ...plan.tests.map((test) => milliseconds(test.rtoMeasured) ?? 0));
  return (
    <Scroll label="Tests and runs">
      <table>
        <thead>
          <tr>
            <th>When</th>
            <th>What</th>
            <th>Result</th>
            <th>RTO measured</th>
            <th>Version</th>
          </tr>
        </thead>
        <tbody>
          {plan.tests.map((test) => (
            <tr key={test.requestId}>
              <td>
                <Ago at={test.at} />
              </td>
              <td>
                <Link href={`/t/${tenant}/requests/${test.requestId}`}>{test.type}</Link>
              </td>
              <td>
                <Light tone={test.passed ? "green" : "red"}>{test.passed ? "passed" : "failed"}</Light> <span className="quiet small">{test.reason}</span>
              </td>
              <td className="nowrap">
                <meter className="rto" min={0} max={longest || 1} high={target} optimum={0} value={milliseconds(test.rtoMeasured) ?? 0} aria-label="RTO measured against the target" />{" "}
                {humane(milliseconds(test.rtoMeasured))}
              </td>
              <td>{String(test.plan?.version ?? "")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function PlanDocument({ tenant, name }: { tenant: string; name: string }) {
  const document = useQuery({ queryKey: ["plan-document", tenant, name], queryFn: () => plans.renderPlan({ tenant, name, format: RenderFormat.MARKDOWN }) });
  const card = useMutation({
    mutationFn: (format: RenderFormat) => plans.renderPlan({ tenant, name, format }),
    onSuccess: ({ content, mediaType }, format) => save(new Blob([content], { type: mediaType }), `${name}-${format === RenderFormat.RUN_CARD ? "run-card" : "plan"}.html`),
  });
  return (
    <div className="stack">
      <div className="actions">
        <button type="button" className="button small-button" onClick={() => card.mutate(RenderFormat.HTML)}>
          Download as a page
        </button>
        <button type="button" className="button small-button" onClick={() => card.mutate(RenderFormat.RUN_CARD)}>
          Download the run-card
        </button>
        <span className="quiet small">For the night when every network is down. Made from the plan and the inventory as they are now.</span>
      </div>
      {card.error && <TroubleNotice trouble={troubleOf(card.error)} />}
      <Answer query={document} what="the document">
        {({ content }) => <Markdown text={content} label={name} />}
      </Answer>
    </div>
  );
}

const TYPES = ["switchover", "failover", "failback", "rotation", "readiness-drill", "isolated-drill", "live-drill"];

function PlanPreflight({ here, plan }: { here: Here; plan: PlanView }) {
  const served = plan.spec?.types.length ? plan.spec.types : TYPES;
  const [type, setType] = useState(served[0] ?? "switchover");
  const scope = plan.spec?.scope;
  const check = useMutation({
    mutationFn: async () =>
      (await executor.preflight(
        { tenant: here.tenant, type, resource: scope?.case === "resource" ? scope.value : "", group: scope?.case === "group" ? scope.value : "", targetSite: plan.spec?.toSite, plan: plan.name, idempotencyKey: newKey() },
        { timeoutMs: 60_000 },
      )).report,
  });
  if (!here.may("ExecutorService/Preflight")) return <p className="quiet">An Operator can check here whether the plan could be run now. Nothing is touched by it.</p>;
  return (
    <div className="stack">
      <p>Every check of a run, made now. Nothing is touched; the verdict is recorded.</p>
      <div className="fields">
        <label className="field">
          Type
          <select value={type} onChange={(event) => setType(event.target.value)}>
            {served.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <button type="button" className="button primary" disabled={check.isPending} onClick={() => check.mutate()}>
          {check.isPending ? "Checking" : "Check now"}
        </button>
      </div>
      {check.error && <TroubleNotice trouble={troubleOf(check.error)} />}
      {check.data && <PreflightResult report={check.data} />}
      {check.data && (
        <p className="small quiet">
          Checked <Moment at={check.data.checkedAt} />, {instant(check.data.checkedAt) ? "" : "at a time that is not known, "}
          {check.data.checks.length} checks.
        </p>
      )}
    </div>
  );
}
