// Alerts: what is open now, and what was.

import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { monitor } from "../../api/clients.ts";
import { troubleOf } from "../../api/trouble.ts";
import { type AlertView, Severity } from "../../gen/muster/readiness/v1/readiness_pb.ts";
import { useFields } from "../../lib/address.ts";
import { alertKind, environment, severity, tier } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { Empty, Loading, TroubleNotice } from "../../ui/states.tsx";
import { Ago } from "../../ui/time.tsx";
import "./alerts.css";

const ASK_EVERY_MS = 3_000;
const PAGE = 100;

export function AlertsPage({ tenant }: { tenant: string }) {
  const [{ show }, change] = useFields(["show"]);
  const all = show === "all";
  const alerts = useInfiniteQuery({
    queryKey: ["all-alerts", tenant, all],
    queryFn: ({ pageParam }) => monitor.listAlerts({ tenant, includeResolved: all, page: { pageSize: PAGE, pageToken: pageParam } }),
    initialPageParam: "",
    getNextPageParam: (last) => last.page?.nextPageToken || undefined,
    refetchInterval: ASK_EVERY_MS,
  });
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
      </div>
      {alerts.error ? (
        <TroubleNotice trouble={troubleOf(alerts.error)} retry={() => void alerts.refetch()} />
      ) : alerts.isPending ? (
        <Loading what="alerts" />
      ) : found.length === 0 ? (
        <Empty title={all ? "There was never an alert" : "No alert is open"}>
          <p className="quiet">An alert opens when a problem has held for as long as its resource’s limits say.</p>
        </Empty>
      ) : (
        <ul className="alerts">
          {found.map((alert) => (
            <Line key={alert.alertId} tenant={tenant} alert={alert} />
          ))}
        </ul>
      )}
      {alerts.hasNextPage && (
        <button type="button" className="button" disabled={alerts.isFetchingNextPage} onClick={() => void alerts.fetchNextPage()}>
          Older alerts
        </button>
      )}
    </>
  );
}

function Line({ tenant, alert }: { tenant: string; alert: AlertView }) {
  const open = !alert.resolvedAt;
  return (
    <li>
      <Light tone={!open ? "neutral" : alert.severity === Severity.CRITICAL ? "red" : "yellow"}>{open ? severity(alert.severity) : "resolved"}</Light>
      <div>
        <Link href={`/t/${tenant}/resources/${alert.resource}`}>{alert.resource}</Link> {alertKind(alert.kind)}{" "}
        <span className="quiet">
          {tier(alert.tier)}, {environment(alert.environment)}
        </span>
        <p className="small">{alert.assessment?.reasons.map((reason) => reason.text).join(" ")}</p>
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
