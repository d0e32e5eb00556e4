// An empty product: what comes first, in order, and how far one is.

import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { planner } from "../../api/clients.ts";
import type { Here } from "../../api/person.ts";
import { whole } from "../../api/whole.ts";
import { Kind } from "../../gen/muster/inventory/v1/inventory_pb.ts";
import { Light } from "../../ui/light.tsx";

const STEPS = [
  { kind: Kind.SITE, enough: 2, name: "Site", title: "Name two sites", says: "Where systems run, and where they can be moved to." },
  { kind: Kind.RESOURCE, enough: 1, name: "Resource", title: "Declare the first system", says: "Both of its nodes, what may be lost (RPO) and how long it may take (RTO), and a read-only account." },
  { kind: Kind.NOTIFICATION_ROUTE, enough: 1, name: "NotificationRoute", title: "Say who is told", says: "E-mail, chat or webhook. Without a route nobody hears of an alert." },
  { kind: Kind.POLICY, enough: 1, name: "Policy", title: "Say who must approve", says: "Until then the built-in rule holds: two people for tier 1, one for tier 2." },
  { kind: Kind.SCHEDULE, enough: 1, name: "Schedule", title: "Schedule the first drill", says: "A plan that nobody tests is proven by nothing." },
] as const;

export function FirstRun({ here }: { here: Here }) {
  const { tenant } = here;
  const documents = useQuery({
    queryKey: ["first-run", tenant],
    queryFn: async () => (await whole((page) => planner.listDocuments({ tenant, page }), (answer) => answer.documents)).items,
    refetchInterval: 5_000,
  });
  const edits = here.may("PlannerService/Apply");
  const next = STEPS.find(({ kind, enough }) => count(kind) < enough);
  function count(kind: Kind): number {
    return documents.data?.filter((document) => document.kind === kind).length ?? 0;
  }
  return (
    <section className="panel" aria-labelledby="first">
      <header>
        <h2 id="first">Nothing is protected yet</h2>
      </header>
      <div className="body">
        <ol className="lines">
          {STEPS.map(({ kind, enough, name, title, says }) => {
            const done = count(kind) >= enough;
            return (
              <li key={name}>
                <Light tone={done ? "green" : name === next?.name ? "active" : "neutral"}>{done ? "Done" : name === next?.name ? "Next" : "Later"}</Light> <strong>{title}</strong>
                <p className="small quiet">{says}</p>
                {!done && edits && documents.data && (
                  <Link className={`button small-button ${name === next?.name ? "primary" : ""}`} href={`/t/${tenant}/settings/new?kind=${name}`}>
                    {title}
                  </Link>
                )}
              </li>
            );
          })}
        </ol>
        <p className="quiet">
          {edits ? (
            <>
              Or all at once from a file: <code>muster apply -f FILE</code>. A system appears here as soon as Muster has looked at both of its sides.
            </>
          ) : (
            "An admin of this tenant does this. A system appears here as soon as Muster has looked at both of its sides."
          )}
        </p>
      </div>
    </section>
  );
}
