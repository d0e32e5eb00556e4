// Alerts: what is open now, who answers for it, who was told, and what was.

import { Link } from "wouter";
import { type Here, useHere } from "../../api/person.ts";
import { troubleOf } from "../../api/trouble.ts";
import type { EscalationView } from "../../gen/muster/notification/v1/notification_pb.ts";
import { type AlertView, Severity } from "../../gen/muster/readiness/v1/readiness_pb.ts";
import { useFields } from "../../lib/address.ts";
import { useNow } from "../../lib/clock.ts";
import { alertKind, capital, environment, severity, tier } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { Older } from "../../ui/older.tsx";
import { Empty, hides, Loading, TroubleNotice } from "../../ui/states.tsx";
import { Ago, Moment } from "../../ui/time.tsx";
import { WhoWasTold } from "../messages/panel.tsx";
import { AlertActions } from "./act.tsx";
import { answered } from "./answer.ts";
import { useAlertList, useEscalations } from "./data.ts";

export function AlertsPage({ tenant }: { tenant: string }) {
  const here = useHere(tenant);
  const [{ show }, change] = useFields(["show"]);
  const all = show === "all";
  const alerts = useAlertList(tenant, all);
  const escalations = useEscalations(tenant, all);
  const found = alerts.data?.pages.flatMap((page) => page.alerts) ?? [];
  return (
    <>
      <div className="head">
        <h1>Alerts</h1>
        <div className="chips" role="group" aria-label="Show">
          <button type="button" className="chip" aria-pressed={!all} onClick={() => change({ show: "" })}>
            Open
          </button>
          <button type="button" className="chip" aria-pressed={all} onClick={() => change({ show: "all" })}>
            Resolved too
          </button>
        </div>
        <span className="grow" />
        <Link className="button small-button" href={`/t/${tenant}/messages`}>
          Messages
        </Link>
      </div>
      {escalations.error && !escalations.data && (
        <TroubleNotice trouble={{ ...troubleOf(escalations.error), title: "Who answers for them is not known" }} retry={() => void escalations.refetch()} />
      )}
      {hides(alerts) ? (
        <TroubleNotice trouble={troubleOf(alerts.error)} retry={() => void alerts.refetch()} />
      ) : alerts.isPending ? (
        <Loading what="alerts" />
      ) : found.length === 0 ? (
        <Empty title={all ? "There was never an alert" : "No alert is open"}>
          <p className="quiet">An alert opens when a problem has held for as long as its resource’s limits say.</p>
        </Empty>
      ) : (
        <ul className="entries">
          {found.map((alert) => (
            <Line key={alert.alertId} here={here} alert={alert} escalation={escalations.data?.of.get(alert.alertId)} known={escalations.data !== undefined && (!escalations.data.more || escalations.data.of.has(alert.alertId))} />
          ))}
        </ul>
      )}
      <Older list={alerts} what="alerts" />
    </>
  );
}

function Line({ here, alert, escalation, known }: { here: Here; alert: AlertView; escalation: EscalationView | undefined; known: boolean }) {
  const open = !alert.resolvedAt;
  return (
    <li>
      <Light tone={!open ? "neutral" : alert.severity === Severity.CRITICAL ? "red" : "yellow"}>{capital(open ? severity(alert.severity) : "resolved")}</Light>
      <div className="stack-small">
        <div>
          <Link href={`/t/${here.tenant}/resources/${alert.resource}`}>{alert.resource}</Link> {alertKind(alert.kind)}{" "}
          <span className="quiet">
            {tier(alert.tier)}, {environment(alert.environment)}
          </span>
        </div>
        <p className="small">{alert.assessment?.reasons.map((reason) => reason.text).join(" ")}</p>
        {open && known && <Answer escalation={escalation} />}
        {open && <AlertActions here={here} alert={alert} escalation={escalation} />}
        <WhoWasTold tenant={here.tenant} about={{ alertId: alert.alertId }} plain />
      </div>
      <span className="small quiet">
        since <Ago at={alert.conditionSince} />
        {alert.resolvedAt && (
          <>
            , resolved <Ago at={alert.resolvedAt} />
          </>
        )}
      </span>
    </li>
  );
}

/** Who looks after it; when nobody does, who is told next and when. */
function Answer({ escalation }: { escalation: EscalationView | undefined }) {
  const now = useNow();
  const by = answered(escalation, now);
  const { acknowledged, silenced } = escalation ?? {};
  return (
    <div className="small">
      {by === "acknowledged" && acknowledged && (
        <p>
          <Light tone="active">Acknowledged</Light> by <strong>{acknowledged.by?.name || acknowledged.by?.id}</strong> ({acknowledged.via || "unknown way"}), <Ago at={acknowledged.acknowledgedAt} />
          {acknowledged.note && `: “${acknowledged.note}”`}
        </p>
      )}
      {escalation !== undefined && escalation.step > 0 && <p>{escalation.step === 1 ? "Step 1 of its chain was called." : `Steps 1 to ${escalation.step} of its chain were called.`}</p>}
      {by === "silenced" && silenced && (
        <p>
          <Light tone="neutral">Silenced</Light> by <strong>{silenced.by?.name || silenced.by?.id}</strong> until <Moment at={silenced.until} />: “{silenced.reason}”
        </p>
      )}
      {by === "nobody" && (
        <p>
          <Light tone="yellow">Nobody has acknowledged it</Light>
          {escalation?.nextAt && (
            <>
              . {escalation.nextRoutes.length > 0 ? `Next told: ${escalation.nextRoutes.join(", ")}` : "Told again"}, <Ago at={escalation.nextAt} />
            </>
          )}
          {escalation !== undefined && escalation.repetitions > 0 && `. ${escalation.repetitions} reminders so far`}
        </p>
      )}
      {escalation?.runbookUrl && (
        <p>
          <a href={escalation.runbookUrl} rel="noreferrer">
            What to do: runbook
          </a>
        </p>
      )}
    </div>
  );
}
