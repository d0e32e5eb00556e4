// One resource: could it be recovered right now, how do we know, and what was done about it.

import { useState } from "react";
import { Link } from "wouter";
import type { Assessment, ReadinessView } from "../../gen/muster/readiness/v1/readiness_pb.ts";
import type { Marker } from "../../gen/muster/common/v1/common_pb.ts";
import { useHere } from "../../api/person.ts";
import { troubleOf } from "../../api/trouble.ts";
import { useNow } from "../../lib/clock.ts";
import { humane, milliseconds } from "../../lib/time.ts";
import { alertKind, bytes, capital, environment, requestState, requestType, severity, tier } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { ProofLight } from "../../ui/proof.tsx";
import { Answer, Empty } from "../../ui/states.tsx";
import { Ago, Moment } from "../../ui/time.tsx";
import { ageOf, isFresh, LIGHT_WORDS, type Lit, lightNow, lightOf, lightTone, outlived, type Seen } from "../fleet/rows.ts";
import { proofOf, useGroups, useProofs } from "../fleet/proof.ts";
import { GapsPanel } from "../gaps/panel.tsx";
import { WhoWasTold } from "../messages/panel.tsx";
import { OpenRequest } from "../requests/open.tsx";
import { stateTone } from "../requests/tones.ts";
import { byUrgency } from "../schedules/data.ts";
import { HISTORY, promised, RANGES, type RangeName, useAlerts, useDocument, useDue, useHistory, useProven, useReadiness, useRuns, useTrend } from "./data.ts";
import { seriesOf, TrendChart } from "./trend.tsx";
import "./resource.css";

export function ResourcePage({ tenant, name }: { tenant: string; name: string }) {
  const readiness = useReadiness(tenant, name);
  return (
    <>
      <p className="crumbs">
        <Link href={`/t/${tenant}`}>Fleet</Link> / {name}
      </p>
      {readiness.error && troubleOf(readiness.error).kind === "not-found" ? (
        <NoResource tenant={tenant} name={name} />
      ) : (
        <Answer query={readiness} what={name} heading={name}>
          {(seen) => (seen ? <Resource tenant={tenant} seen={seen} /> : <NoResource tenant={tenant} name={name} />)}
        </Answer>
      )}
    </>
  );
}

/** The record and messages name groups as they name resources. */
function NoResource({ tenant, name }: { tenant: string; name: string }) {
  const group = useGroups(tenant).data?.items.find((document) => document.name === name);
  const members = group?.spec.case === "groupSpec" ? group.spec.value.members.map(({ resource }) => resource) : undefined;
  if (!members) {
    return (
      <Empty whole title="There is no such resource">
        <p>
          No system or group in use is called <strong>{name}</strong>. <Link href={`/t/${tenant}`}>Go to the fleet</Link>
        </p>
      </Empty>
    );
  }
  return (
    <Empty whole title={`Group ${name}`}>
      <p>
        Moves together, in the order of its dependencies: <Names tenant={tenant} names={members} />
      </p>
      <p>
        <Link href={`/t/${tenant}/settings/group/${name}`}>As it is declared</Link>
      </p>
    </Empty>
  );
}

function Resource({ tenant, seen }: { tenant: string; seen: Seen }) {
  useNow();
  const here = useHere(tenant);
  const { view } = seen;
  const now = performance.now();
  const light = lightNow(seen, now);
  const was = outlived(seen, now) ? LIGHT_WORDS[lightOf(view.assessment?.status)].toLowerCase() : null;
  const age = ageOf(seen, now);
  const fresh = isFresh(seen, now);
  return (
    <div className="stack">
      <div className="head">
        <h1>{view.resource}</h1>
        <Light tone={was ? "unknown" : lightTone(light)}>{was ? `Was ${was}` : LIGHT_WORDS[light]}</Light>
        <span className="quiet">
          since <Ago at={view.statusSince} />
        </span>
        <span className="grow" />
        {here.may("ApprovalService/OpenRequest") && <OpenRequest tenant={tenant} scope={{ case: "resource", name: view.resource }} from={view.activeSite} to={otherSite(view)} />}
      </div>
      <p className="quiet">
        {[view.displayName, tier(view.tier), capital(environment(view.environment)), view.owner && `owner ${view.owner}`].filter(Boolean).join(" · ")} · runs on{" "}
        <strong>{view.activeSite || "a site that is not known"}</strong>, can move to <strong>{otherSite(view)}</strong> · last look{" "}
        {age === undefined ? "never" : `${humane(Math.round(age / 1000) * 1000)} ago`}
        {!fresh && age !== undefined && <strong className="text-unknown"> (stale)</strong>}
      </p>
      {!fresh || light === "unknown" ? <LastKnownGood view={view} age={age} /> : null}
      <Reasons assessment={view.assessment} tone={was ? "unknown" : light} />
      <FourRpos tenant={tenant} view={view} />
      <Trend tenant={tenant} view={view} />
      <div className="columns">
        <Loss assessment={view.assessment} />
        <Markers assessment={view.assessment} />
        <Alerts tenant={tenant} resource={view.resource} />
        <PlanAndGroup tenant={tenant} resource={view.resource} />
        <GapsPanel here={here} resource={view.resource} scope={{ case: "resource", name: view.resource }} />
        <History tenant={tenant} resource={view.resource} />
        <Runs tenant={tenant} resource={view.resource} />
      </div>
      <WhoWasTold tenant={tenant} about={{ resource: view.resource }} />
    </div>
  );
}

function otherSite(view: ReadinessView): string {
  return view.activeSite === view.drSite ? view.primarySite : view.drSite;
}

/** Sight is lost: what was last known to be good, and that it is no more than that. */
function LastKnownGood({ view, age }: { view: ReadinessView; age: number | undefined }) {
  const good = view.lastKnownGood;
  return (
    <div className="notice unknown" role="status">
      <p>
        <strong>{age === undefined ? "Muster has never seen this system." : `Nothing certain is known now. The newest look is ${humane(age)} old.`}</strong>
      </p>
      {good ? (
        <p>
          Last seen whole: <Moment at={good.observedAt} /> (<Ago at={good.observedAt} />
          ), {LIGHT_WORDS[lightOf(good.status)].toLowerCase()}, RPO indicator {humane(milliseconds(good.rpoNow))}. {good.loss?.text}
        </p>
      ) : lightOf(view.assessment?.status) === "unknown" ? (
        <p>Both sides were never seen together.</p>
      ) : (
        // Muster saw it; only this page has lost Muster.
        <p>What is below is from that look.</p>
      )}
    </div>
  );
}

function Reasons({ assessment, tone }: { assessment: Assessment | undefined; tone: Lit }) {
  const reasons = assessment?.reasons ?? [];
  return (
    <section className={`notice ${tone}`} aria-label="Why">
      {reasons.length === 0 && <p>No observation yet.</p>}
      <ul className="reasons">
        {reasons.map((reason, index) => (
          <li key={`${reason.code}-${index}`}>
            {reason.text} <code className="quiet">{reason.code}</code>
          </li>
        ))}
      </ul>
    </section>
  );
}

function FourRpos({ tenant, view }: { tenant: string; view: ReadinessView }) {
  const drills = useProven(tenant, view.resource);
  const target = milliseconds(view.rpoTarget);
  const now = milliseconds(view.assessment?.rpoNow);
  const proven = drills.data?.proven;
  const over = now !== undefined && target !== undefined && now > target;
  return (
    <dl className="rpos" aria-label="The four RPOs">
      <div>
        <dt>Target</dt>
        <dd className="big">{target === undefined ? "none" : humane(target)}</dd>
        <dd className="quiet small">largest loss the business accepts</dd>
      </div>
      <Promised tenant={tenant} resource={view.resource} />
      <div>
        <dt>Measured now</dt>
        <dd className={`big ${over ? "text-red" : now === undefined ? "text-unknown" : ""}`}>{humane(now)}</dd>
        <dd className="quiet small">{now === undefined ? "unknown is not zero" : over ? "above the target" : "indicator, by positions"}</dd>
      </div>
      <div>
        <dt>Proven in a drill</dt>
        <dd className={`big ${proven ? "" : "text-unknown"}`}>{proven === undefined ? "loading" : proven === null ? (drills.data?.unknown ? "not known" : "never") : proven.none ? "no loss" : humane(proven.window)}</dd>
        <dd className="quiet small">
          {proven ? (
            <Link href={`/t/${tenant}/requests/${proven.request.requestId}`}>
              {requestType(proven.request.opened?.type)}, <Ago at={proven.at} />
            </Link>
          ) : (
            drills.data?.unknown ? "not among the newest 1,000 runs" : "no drill on record"
          )}
        </dd>
      </div>
    </dl>
  );
}

/** What the backups promise where both sides are lost; replication promises nothing, it is measured. */
function Promised({ tenant, resource }: { tenant: string; resource: string }) {
  const document = useDocument(tenant, resource);
  const promise = promised(document.data ?? undefined);
  const declared = document.data?.spec.case === "resourceSpec";
  return (
    <div>
      <dt>Promised by schedule</dt>
      <dd className={`big ${declared && promise === undefined ? "text-unknown" : ""}`}>{!declared ? (document.error ? "not known" : "loading") : promise === null ? "none" : humane(promise)}</dd>
      <dd className="quiet small">{!declared ? "as it is declared" : promise === null ? "replication is measured; no backup is declared" : "how old the newest backup may be"}</dd>
    </div>
  );
}

function Trend({ tenant, view }: { tenant: string; view: ReadinessView }) {
  const [range, setRange] = useState<RangeName>("1h");
  const trend = useTrend(tenant, view.resource, range);
  const seconds = (duration: Parameters<typeof milliseconds>[0]) => {
    const ms = milliseconds(duration);
    return ms === undefined ? undefined : ms / 1000;
  };
  return (
    <section className="panel" aria-label="RPO over time">
      <header>
        <h2>RPO over time</h2>
        <span className="grow" />
        <div className="chips" role="group" aria-label="Range">
          {(Object.keys(RANGES) as RangeName[]).map((name) => (
            <button key={name} type="button" className="chip" aria-pressed={name === range} onClick={() => setRange(name)}>
              {name}
            </button>
          ))}
        </div>
      </header>
      <div className="body trend-body">
        <Answer query={trend} what="the trend" rows={4}>
          {(data) => <TrendChart series={seriesOf(data)} limit={seconds(view.thresholds?.rpoBreach)} warning={seconds(view.thresholds?.rpoWarning)} />}
        </Answer>
      </div>
    </section>
  );
}

function Loss({ assessment }: { assessment: Assessment | undefined }) {
  return (
    <section className="panel">
      <header>
        <h2>If it were moved now</h2>
      </header>
      <div className="body">
        <p className="statement">{assessment?.loss?.text || "Nothing can be said about missing data."}</p>
        <dl className="facts">
          <dt>Not received</dt>
          <dd>{bytes(assessment?.notReceivedBytes)}</dd>
          <dt>Not applied</dt>
          <dd>{bytes(assessment?.notAppliedBytes)}</dd>
          <dt>Seen</dt>
          <dd>
            <Moment at={assessment?.observedAt} />
          </dd>
        </dl>
        {assessment?.loss?.limits.map((limit) => (
          <p key={limit} className="small quiet">
            {limit}
          </p>
        ))}
      </div>
    </section>
  );
}

function Markers({ assessment }: { assessment: Assessment | undefined }) {
  const sides: [string, Marker | undefined][] = [
    ["Primary", assessment?.primary],
    ["Standby", assessment?.standby],
  ];
  return (
    <section className="panel">
      <header>
        <h2>Markers of both sides</h2>
      </header>
      <div className="body columns markers">
        {sides.map(([side, marker]) => (
          <div key={side}>
            <h3>{side}</h3>
            {marker ? (
              <dl className="facts">
                <dt>Node</dt>
                <dd>
                  {marker.node} on {marker.site}
                </dd>
                <dt>Position</dt>
                <dd>
                  <code>{marker.lsn || "none"}</code>
                </dd>
                {marker.timeline > 0 && (
                  <>
                    <dt>Timeline</dt>
                    <dd>{marker.timeline}</dd>
                  </>
                )}
                <dt>System</dt>
                <dd>
                  <code>{marker.systemIdentifier || "not told"}</code>
                </dd>
                <dt>Read</dt>
                <dd>
                  <Moment at={marker.readAt} />
                </dd>
              </dl>
            ) : (
              <p className="text-unknown">Not seen.</p>
            )}
          </div>
        ))}
      </div>
    </section>
  );
}

function Alerts({ tenant, resource }: { tenant: string; resource: string }) {
  const alerts = useAlerts(tenant, resource);
  return (
    <section className="panel">
      <header>
        <h2>Alerts</h2>
      </header>
      <div className="body">
        <Answer query={alerts} what="alerts" rows={2}>
          {(found) =>
            found.length === 0 ? (
              <p className="quiet">None, ever.</p>
            ) : (
              <ul className="lines">
                {found.map((alert) => (
                  <li key={alert.alertId}>
                    <Light tone={alert.resolvedAt ? "neutral" : "red"}>{alert.resolvedAt ? "resolved" : "open"}</Light> {alertKind(alert.kind)},{" "}
                    {severity(alert.severity)}
                    <br />
                    <span className="small quiet">
                      opened <Ago at={alert.openedAt} />
                      {alert.resolvedAt && (
                        <>
                          , resolved <Ago at={alert.resolvedAt} />
                        </>
                      )}
                      . {alert.assessment?.reasons[0]?.text}
                    </span>
                  </li>
                ))}
              </ul>
            )
          }
        </Answer>
      </div>
    </section>
  );
}

function PlanAndGroup({ tenant, resource }: { tenant: string; resource: string }) {
  const proofs = useProofs(tenant);
  const groups = useGroups(tenant);
  const proof = proofs && proofOf(proofs, resource);
  const inside = (groups.data?.items ?? []).flatMap((document) =>
    document.spec.case === "groupSpec" && document.spec.value.members.some((member) => member.resource === resource) ? [{ name: document.name, members: document.spec.value.members }] : [],
  );
  return (
    <section className="panel">
      <header>
        <h2>Plan and dependencies</h2>
      </header>
      <div className="body">
        {proofs === undefined ? (
          <p className="quiet">Loading</p>
        ) : proof?.plan ? (
          <p>
            <Link href={`/t/${tenant}/plans/${proof.plan.name}`}>{proof.plan.name}</Link> <ProofLight plan={proof.plan} />
            {proof.plan.proofText && <span className="quiet"> {proof.plan.proofText}</span>}
          </p>
        ) : !proof ? (
          <p className="text-unknown">There are more plans than a page can look through: whether one is for it is not known here.</p>
        ) : (
          <p>No plan was written. The built-in one moves it by its platform’s own steps; it was never published or proven.</p>
        )}
        {inside.map(({ name, members }) => {
          const own = members.find((member) => member.resource === resource);
          const dependents = members.filter((member) => member.dependsOn.includes(resource));
          return (
            <div key={name}>
              <h3>Group {name}</h3>
              <p className="small">
                Needs first: {own && own.dependsOn.length > 0 ? <Names tenant={tenant} names={own.dependsOn} /> : "nothing"}. Needed by:{" "}
                {dependents.length > 0 ? <Names tenant={tenant} names={dependents.map((member) => member.resource)} /> : "nothing"}.
              </p>
            </div>
          );
        })}
        {groups.data && !groups.data.more && inside.length === 0 && <p className="quiet">It is in no group: nothing declared depends on it.</p>}
      </div>
    </section>
  );
}

function Names({ tenant, names }: { tenant: string; names: string[] }) {
  return names.map((name, index) => (
    <span key={name}>
      {index > 0 && ", "}
      <Link href={`/t/${tenant}/resources/${name}`}>{name}</Link>
    </span>
  ));
}

function History({ tenant, resource }: { tenant: string; resource: string }) {
  const history = useHistory(tenant, resource);
  return (
    <section className="panel">
      <header>
        <h2>Status history</h2>
      </header>
      <div className="body">
        <Answer query={history} what="the history" rows={3}>
          {(changes) => (
            <ul className="lines">
              {changes.map(({ at, sequence, changed }) => {
                const light = lightOf(changed.assessment?.status);
                return (
                  <li key={String(sequence)}>
                    <Light tone={lightTone(light)}>{LIGHT_WORDS[light]}</Light> <Ago at={at} />
                    <br />
                    <span className="small quiet">{changed.assessment?.reasons.map((reason) => reason.text).join(" ") || "No reason was recorded."}</span>
                  </li>
                );
              })}
              {changes.length === 0 && <li className="quiet">No status was recorded yet.</li>}
              {changes.length === HISTORY && (
                <li className="quiet">
                  The newest {HISTORY}. Older ones are in the <Link href={`/t/${tenant}/audit?resource=${resource}&kind=readiness.*`}>record</Link>.
                </li>
              )}
            </ul>
          )}
        </Answer>
      </div>
    </section>
  );
}

const SHOWN_RUNS = 8;

function Runs({ tenant, resource }: { tenant: string; resource: string }) {
  const runs = useRuns(tenant, resource);
  return (
    <section className="panel">
      <header>
        <h2>Requests and drills</h2>
      </header>
      <div className="body">
        <Due tenant={tenant} resource={resource} />
        <Answer query={runs} what="requests" rows={2}>
          {(found) =>
            found.length === 0 ? (
              <p className="quiet">Nobody asked to move or to test it yet.</p>
            ) : (
              <ul className="lines">
                {found.slice(0, SHOWN_RUNS).map((request) => (
                  <li key={request.requestId}>
                    <Light tone={stateTone(request.state)}>{requestState(request.state)}</Light>{" "}
                    <Link href={`/t/${tenant}/requests/${request.requestId}`}>
                      {requestType(request.opened?.type)} to {request.opened?.targetSite}
                    </Link>
                    , <Ago at={request.opened?.openedAt} />
                    <br />
                    <span className="small quiet">{request.opened?.reason}</span>
                  </li>
                ))}
                {found.length > SHOWN_RUNS && (
                  <li className="quiet">
                    The newest {SHOWN_RUNS}. Older ones are among <Link href={`/t/${tenant}/requests`}>all requests</Link>.
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

/** When it is drilled next; nothing where the schedules cannot be read, the page of schedules says why. */
function Due({ tenant, resource }: { tenant: string; resource: string }) {
  const { data } = useDue(tenant, resource);
  if (!data) return null;
  if (data.length === 0) return <p className="text-unknown">No drill is scheduled.</p>;
  return (
    <ul>
      {[...data].sort(byUrgency).map((schedule) => (
        <li key={schedule.name}>
          {schedule.overdue && <Light tone="red">Overdue</Light>} <Link href={`/t/${tenant}/schedules/${schedule.name}`}>{schedule.name}</Link>{" "}
          {schedule.spec?.suspended ? "is suspended" : schedule.nextDueAt ? <>is due <Moment at={schedule.nextDueAt} /></> : "is not due again"}
        </li>
      ))}
    </ul>
  );
}
