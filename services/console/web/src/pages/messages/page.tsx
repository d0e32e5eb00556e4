// Messages: who was told what, what never arrived, and whether a route works.

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { notifier } from "../../api/clients.ts";
import { type Here, useHere } from "../../api/person.ts";
import { troubleOf } from "../../api/trouble.ts";
import { useFields } from "../../lib/address.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { Empty, hides, Loading, TroubleNotice } from "../../ui/states.tsx";
import { Older } from "../../ui/older.tsx";
import { SHOWS, useDeliveries, useRoutes } from "./data.ts";
import { DeliveryTable } from "./table.tsx";

export function MessagesPage({ tenant }: { tenant: string }) {
  const here = useHere(tenant);
  const [fields, change] = useFields(["show", "route"]);
  const show = fields.show in SHOWS ? fields.show : "all";
  const routes = useRoutes(tenant);
  const list = useDeliveries(tenant, { states: SHOWS[show]?.states ?? [], route: fields.route });
  const found = list.data?.pages.flatMap((page) => page.deliveries) ?? [];
  return (
    <>
      <p className="crumbs">
        <Link href={`/t/${tenant}/alerts`}>Alerts</Link> / messages
      </p>
      <div className="head">
        <h1>Messages</h1>
        <p className="quiet">Who was told what. “Delivered” means that the far side took it; nobody knows whether a person read it.</p>
      </div>
      <search className="fields" aria-label="Show">
        <div className="chips wide" role="group" aria-label="Outcome">
          {Object.entries(SHOWS).map(([name, { word }]) => (
            <button key={name} type="button" className="chip" aria-pressed={name === show} onClick={() => change({ show: name === "all" ? "" : name })}>
              {word}
            </button>
          ))}
        </div>
        <select aria-label="Route" value={fields.route} onChange={(event) => change({ route: event.target.value })}>
          <option value="">Route: all</option>
          {[...new Set([...(routes.data ?? []), ...(fields.route ? [fields.route] : [])])].map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        {here.may("NotifierService/TestRoute") && <TestRoute here={here} routes={routes.data ?? []} chosen={fields.route} sent={(route) => change({ route, show: "" })} />}
      </search>
      {hides(list) ? (
        <TroubleNotice trouble={troubleOf(list.error)} retry={() => void list.refetch()} />
      ) : list.isPending ? (
        <Loading what="messages" />
      ) : found.length === 0 ? (
        <Empty title={show === "not-delivered" ? "Everything was delivered" : "No message fits"}>
          <p className="quiet">{show === "not-delivered" ? "A message is here when every attempt to deliver it failed." : "Messages go out by the tenant’s routes when something happens."}</p>
        </Empty>
      ) : (
        <div className="panel">
          <DeliveryTable here={here} deliveries={found} about />
        </div>
      )}
      <Older list={list} what="messages" />
    </>
  );
}

/** A message of its own, through everything that a real one goes through. */
export function TestRoute({ here, routes, chosen, sent }: { here: Here; routes: string[]; chosen: string; sent: (route: string) => void }) {
  const queries = useQueryClient();
  const [picked, pick] = useState<string | null>(null);
  const route = picked ?? (chosen || routes[0] || "");
  return (
    <AskButton
      label="Test a route"
      title="Send a test message"
      confirm="Send the test"
      hold={route ? null : "Choose a route."}
      impossible={routes.length === 0 ? "No route is declared yet." : null}
      act={async (_, idempotencyKey) => {
        await notifier.testRoute({ tenant: here.tenant, route, idempotencyKey });
        await queries.invalidateQueries({ queryKey: ["deliveries", here.tenant] });
        sent(route);
      }}
    >
      <p>Everybody on the route gets a message that says it is a test. What becomes of it is listed here.</p>
      <label className="field">
        Route
        <select value={route} onChange={(event) => pick(event.target.value)}>
          {routes.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
    </AskButton>
  );
}
