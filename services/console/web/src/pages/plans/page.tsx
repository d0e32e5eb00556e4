// Plans: which scopes have one, whether it is published, whether it was ever proven.

import { Link } from "wouter";
import { PlanState, type PlanView } from "../../gen/muster/plan/v1/plan_pb.ts";
import { humane, milliseconds } from "../../lib/time.ts";
import { capital, counted, planState } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { ProofLight } from "../../ui/proof.tsx";
import { Answer, Empty } from "../../ui/states.tsx";
import { Ago } from "../../ui/time.tsx";
import { usePlans } from "../fleet/proof.ts";
import { Scroll } from "../../ui/scroll.tsx";

export function PlansPage({ tenant }: { tenant: string }) {
  const plans = usePlans(tenant);
  return (
    <>
      <h1>Plans</h1>
      <Answer query={plans} what="plans">
        {({ items: all, more }) =>
          all.length === 0 ? (
            <Empty title="No plan was written yet">
              <p>
                Until then the built-in plan moves a resource by its platform’s own steps, and a group in the order of its dependencies.
              </p>
              <p>
                Write one as a manifest, and declare it: <code>muster apply -f plan.yaml</code>
              </p>
            </Empty>
          ) : (
            <>
            <Scroll label="Plans" className="panel">
              <table className="cards">
                <thead>
                  <tr>
                    <th>Plan</th>
                    <th>Moves</th>
                    <th>State</th>
                    <th>Proof</th>
                    <th>Last test</th>
                    <th>RTO target</th>
                    <th>Linter</th>
                  </tr>
                </thead>
                <tbody>
                  {all.map((plan) => (
                    <Row key={plan.name} tenant={tenant} plan={plan} />
                  ))}
                </tbody>
              </table>
            </Scroll>
            {more && <p className="quiet">There are more plans than the {all.length} shown here: list all with <code>muster plan list</code>.</p>}
            </>
          )
        }
      </Answer>
    </>
  );
}

function Row({ tenant, plan }: { tenant: string; plan: PlanView }) {
  const scope = plan.spec?.scope;
  const last = plan.tests[0];
  return (
    <tr>
      <td>
        <Link href={`/t/${tenant}/plans/${plan.name}`}>
          <strong>{plan.name}</strong>
        </Link>
        <br />
        <span className="small quiet">{plan.spec?.displayName}</span>
      </td>
      <td data-label="Moves">{scope?.case ? `${scope.case} ${scope.value}` : "nothing"}</td>
      <td>
        <Light tone={plan.state === PlanState.PUBLISHED ? "green" : "neutral"}>{capital(planState(plan.state))}</Light>
      </td>
      <td>
        <ProofLight plan={plan} />
        <br />
        <span className="small quiet">{plan.proofText}</span>
      </td>
      <td data-label="Last test">{last ? <Ago at={last.at} /> : <span className="text-unknown">never</span>}</td>
      <td className="nowrap" data-label="RTO target">{plan.spec?.rto ? humane(milliseconds(plan.spec.rto)) : <span className="quiet">none</span>}</td>
      <td data-label="Linter">{plan.findings.length === 0 ? <span className="quiet">nothing found</span> : counted(plan.findings.length, "note")}</td>
    </tr>
  );
}
