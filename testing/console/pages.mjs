// Every page of the console, for the journeys that look at all of them. `route` is its address in web/src/app.tsx;
// a journey fails when one of those is missing here.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "./product.mjs";

/**
 * What there must be: a `request` that has ended, one that is `pending`, a `plan`, a `schedule`.
 * `empty` is what a page of a list says where there is nothing yet; `calm` is a page that asks the server for nothing.
 */
export function everyPage({ request, pending, plan, schedule }) {
  const t = "/t/acme";
  return {
    fleet: { route: "/t/:tenant", address: t, empty: "Nothing is protected yet" },
    everywhere: { route: "/everywhere", address: "/everywhere" },
    resource: { route: "/t/:tenant/resources/:name", address: `${t}/resources/orders-db` },
    requests: { route: "/t/:tenant/requests", address: `${t}/requests`, empty: "Nobody has asked for anything yet" },
    request: { route: "/t/:tenant/requests/:id", address: `${t}/requests/${request}` },
    "request-pending": { route: "/t/:tenant/requests/:id", address: `${t}/requests/${pending}` },
    story: { route: "/t/:tenant/requests/:id/story", address: `${t}/requests/${request}/story` },
    delegations: { route: "/t/:tenant/delegations", address: `${t}/delegations`, empty: "Nobody is deputised now" },
    plans: { route: "/t/:tenant/plans", address: `${t}/plans`, empty: "No plan" },
    plan: { route: "/t/:tenant/plans/:name", address: `${t}/plans/${plan}` },
    alerts: { route: "/t/:tenant/alerts", address: `${t}/alerts?show=all`, empty: "There was never an alert" },
    messages: { route: "/t/:tenant/messages", address: `${t}/messages`, empty: "No message fits" },
    schedules: { route: "/t/:tenant/schedules", address: `${t}/schedules`, empty: "Nothing is scheduled yet" },
    schedule: { route: "/t/:tenant/schedules/:name", address: `${t}/schedules/${schedule}` },
    settings: { route: "/t/:tenant/settings/:part?", address: `${t}/settings` },
    "who-must-approve": { route: "/t/:tenant/settings/:part?", address: `${t}/settings/who-must-approve`, empty: "Nothing is protected yet" },
    gates: { route: "/t/:tenant/settings/:part?", address: `${t}/settings/gates` },
    people: { route: "/t/:tenant/settings/:part?", address: `${t}/settings/people` },
    "new-document": { route: "/t/:tenant/settings/:part?", address: `${t}/settings/new?kind=Policy`, calm: true },
    document: { route: "/t/:tenant/settings/:kind/:name", address: `${t}/settings/resource/orders-db` },
    audit: { route: "/t/:tenant/audit", address: `${t}/audit` },
    gaps: { route: "/t/:tenant/gaps", address: `${t}/gaps?show=all`, empty: "There was never a gap" },
    evidence: { route: "/t/:tenant/evidence", address: `${t}/evidence` },
    unknown: { route: "/t/:tenant/*", address: `${t}/no-such-page`, calm: true },
    intent: { route: "/intent/:token", address: "/intent/not.known", calm: true },
  };
}

/** Addresses that the console makes pages for. "/" leads to the fleet. */
export function routesOfTheConsole() {
  const source = readFileSync(join(PROJECT, "services/console/web/src/app.tsx"), "utf8");
  return [...source.matchAll(/<Route path="([^"]+)"/g)].map(([, route]) => route).filter((route) => route !== "/");
}
