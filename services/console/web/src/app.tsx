// The pages and their addresses.

import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { Redirect, Route, Switch } from "wouter";
import { identity } from "./api/clients.ts";
import { connection } from "./api/connection.ts";
import { PersonContext, personOf, type Person } from "./api/person.ts";
import { loadSession, loginAddress, SessionOver, watchDeeds } from "./api/session.ts";
import { troubleOf } from "./api/trouble.ts";
import { AlertsPage } from "./pages/alerts/page.tsx";
import { AuditPage } from "./pages/audit/page.tsx";
import { StoryPage } from "./pages/audit/story.tsx";
import { DelegationsPage } from "./pages/delegations/page.tsx";
import { EvidencePage } from "./pages/evidence/page.tsx";
import { EverywherePage } from "./pages/everywhere/page.tsx";
import { OPERATING } from "./pages/everywhere/worst.ts";
import { FleetPage } from "./pages/fleet/page.tsx";
import { GapsPage } from "./pages/gaps/page.tsx";
import { IntentPage } from "./pages/intent/page.tsx";
import { MessagesPage } from "./pages/messages/page.tsx";
import { PlanPage } from "./pages/plans/plan.tsx";
import { PlansPage } from "./pages/plans/page.tsx";
import { RequestPage } from "./pages/request/page.tsx";
import { RequestsPage } from "./pages/requests/page.tsx";
import { ResourcePage } from "./pages/resource/page.tsx";
import { SchedulesPage } from "./pages/schedules/page.tsx";
import { SchedulePage } from "./pages/schedules/schedule.tsx";
import { DocumentPage } from "./pages/settings/document.tsx";
import { SettingsPage } from "./pages/settings/page.tsx";
import { ConnectionBanner, Frame } from "./ui/frame.tsx";
import { Empty, Loading, TroubleNotice } from "./ui/states.tsx";
import { UnknownPage } from "./ui/unknown.tsx";

async function whoAmI(): Promise<Person> {
  await loadSession();
  return personOf(await identity.whoAmI({}));
}

export function App() {
  const me = useQuery({ queryKey: ["me"], queryFn: whoAmI, staleTime: Infinity });
  useEffect(() => watchDeeds(() => connection.over()), []);
  if (me.error) {
    if (me.error instanceof SessionOver) location.assign(loginAddress());
    return (
      <main>
        <TroubleNotice trouble={troubleOf(me.error)} retry={() => void me.refetch()} />
      </main>
    );
  }
  if (!me.data) {
    return (
      <main>
        <Loading what="Muster" />
      </main>
    );
  }
  return (
    <PersonContext value={me.data}>
      <ConnectionBanner />
      <Pages person={me.data} />
    </PersonContext>
  );
}

function Pages({ person }: { person: Person }) {
  // Whoever has another tenant than the operating one means that.
  const first = person.tenants.find(({ tenant }) => tenant !== OPERATING) ?? person.tenants[0];
  if (!first) {
    return (
      <main>
        <Empty whole title="You belong to no tenant yet">
          <p>Ask an admin to map one of your groups to a role, then log in again.</p>
        </Empty>
      </main>
    );
  }
  return (
    <Switch>
      <Route path="/">
        <Redirect to={`/t/${first.tenant}`} replace />
      </Route>
      <Route path="/everywhere">
        <Frame tenant={first.tenant} title="All tenants">
          <EverywherePage />
        </Frame>
      </Route>
      <Route path="/t/:tenant">{({ tenant }) => <Frame key={tenant} tenant={tenant} title="Fleet">{<FleetPage tenant={tenant} />}</Frame>}</Route>
      <Route path="/t/:tenant/resources/:name">
        {({ tenant, name }) => <Frame tenant={tenant} title={name}>{<ResourcePage key={name} tenant={tenant} name={name} />}</Frame>}
      </Route>
      <Route path="/t/:tenant/requests">{({ tenant }) => <Frame tenant={tenant} title="Requests">{<RequestsPage tenant={tenant} />}</Frame>}</Route>
      <Route path="/t/:tenant/requests/:id">
        {({ tenant, id }) => <Frame tenant={tenant} title="Request">{<RequestPage key={id} tenant={tenant} id={id} />}</Frame>}
      </Route>
      <Route path="/t/:tenant/requests/:id/story">
        {({ tenant, id }) => <Frame tenant={tenant} title="Story">{<StoryPage key={id} tenant={tenant} id={id} />}</Frame>}
      </Route>
      <Route path="/t/:tenant/plans">{({ tenant }) => <Frame tenant={tenant} title="Plans">{<PlansPage tenant={tenant} />}</Frame>}</Route>
      <Route path="/t/:tenant/plans/:name">
        {({ tenant, name }) => <Frame tenant={tenant} title={name}>{<PlanPage key={name} tenant={tenant} name={name} />}</Frame>}
      </Route>
      <Route path="/t/:tenant/alerts">{({ tenant }) => <Frame tenant={tenant} title="Alerts">{<AlertsPage tenant={tenant} />}</Frame>}</Route>
      <Route path="/t/:tenant/messages">{({ tenant }) => <Frame tenant={tenant} title="Messages">{<MessagesPage tenant={tenant} />}</Frame>}</Route>
      <Route path="/t/:tenant/schedules">{({ tenant }) => <Frame tenant={tenant} title="Schedules">{<SchedulesPage tenant={tenant} />}</Frame>}</Route>
      <Route path="/t/:tenant/schedules/:name">
        {({ tenant, name }) => <Frame tenant={tenant} title={name}>{<SchedulePage key={name} tenant={tenant} name={name} />}</Frame>}
      </Route>
      <Route path="/t/:tenant/delegations">{({ tenant }) => <Frame tenant={tenant} title="Delegations">{<DelegationsPage tenant={tenant} />}</Frame>}</Route>
      <Route path="/t/:tenant/settings/:part?">
        {({ tenant, part }) => <Frame tenant={tenant} title="Settings">{<SettingsPage tenant={tenant} part={part ?? ""} />}</Frame>}
      </Route>
      <Route path="/t/:tenant/settings/:kind/:name">
        {({ tenant, kind, name }) => <Frame tenant={tenant} title={name}>{<DocumentPage tenant={tenant} token={kind} name={name} />}</Frame>}
      </Route>
      <Route path="/t/:tenant/audit">{({ tenant }) => <Frame tenant={tenant} title="Audit">{<AuditPage tenant={tenant} />}</Frame>}</Route>
      <Route path="/t/:tenant/gaps">{({ tenant }) => <Frame tenant={tenant} title="Gaps">{<GapsPage tenant={tenant} />}</Frame>}</Route>
      <Route path="/t/:tenant/evidence">{({ tenant }) => <Frame tenant={tenant} title="Evidence">{<EvidencePage tenant={tenant} />}</Frame>}</Route>
      <Route path="/intent/:token">{({ token }) => <IntentPage key={token} token={token} />}</Route>
      <Route path="/t/:tenant/*">{({ tenant }) => <Frame tenant={tenant} title="No such page">{<UnknownPage tenant={tenant} />}</Frame>}</Route>
      <Route>
        <Frame tenant={first.tenant} title="No such page">
          <UnknownPage tenant={first.tenant} />
        </Frame>
      </Route>
    </Switch>
  );
}
