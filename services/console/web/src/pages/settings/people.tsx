// Who one is here, what each role may do, and whom the record knows. Roles come from groups of the identity provider.

import { Link } from "wouter";
import { ROLE_NAMES, useHere } from "../../api/person.ts";
import { ACCESS } from "../../gen/access.ts";
import { Role } from "../../gen/muster/common/v1/common_pb.ts";
import { Answer } from "../../ui/states.tsx";
import { Scroll } from "../../ui/scroll.tsx";
import { useKnownPeople } from "../delegations/people.ts";
import { ChatAccounts } from "./chat.tsx";

const ROLES = [Role.VIEWER, Role.OPERATOR, Role.APPROVER_IT, Role.APPROVER_BUSINESS, Role.ADMIN];

export function PeoplePart({ tenant }: { tenant: string }) {
  const here = useHere(tenant);
  return (
    <div className="stack">
      <section className="panel">
        <header>
          <h2>You</h2>
        </header>
        <div className="body">
          <dl className="facts">
            <dt>Name</dt>
            <dd>{here.person.name}</dd>
            <dt>Stable id</dt>
            <dd>
              <code>{here.person.id}</code>
            </dd>
            <dt>Roles here</dt>
            <dd>{here.roles.map((role) => ROLE_NAMES[role]).join(", ")}</dd>
          </dl>
          <p className="small quiet">Roles come from groups of your identity provider, and change there. While somebody is away, an approver <Link href={`/t/${tenant}/delegations`}>delegates</Link>.</p>
        </div>
      </section>
      <Known tenant={tenant} />
      <ChatAccounts tenant={tenant} />
      <section className="panel">
        <header>
          <h2>What each role may do</h2>
          <span className="quiet small">the API refuses everything else</span>
        </header>
        <Scroll label="What each role may do" className="body">
          <table>
            <thead>
              <tr>
                <th>Call</th>
                {ROLES.map((role) => (
                  <th key={role}>{ROLE_NAMES[role]}</th>
                ))}
                <th>People only</th>
              </tr>
            </thead>
            <tbody>
              {Object.entries(ACCESS).map(([method, rule]) => {
                const roles: readonly string[] = rule.roles;
                return (
                  <tr key={method}>
                    <th scope="row">{method.split("/").map(spaced).reverse().join(" · ")}</th>
                    {ROLES.map((role) => (
                      <td key={role}>{roles.length === 0 || roles.includes(ROLE_NAMES[role]) ? "yes" : <span className="quiet">no</span>}</td>
                    ))}
                    <td>{rule.peopleOnly ? "yes" : <span className="quiet">no</span>}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </Scroll>
      </section>
    </div>
  );
}

/** "ApproveRequest" as "Approve request". */
function spaced(name: string): string {
  const words = name.replace(/Service$/, "").replace(/(?<=[a-z])(?=[A-Z])/g, " ");
  return words.charAt(0) + words.slice(1).toLowerCase();
}

function Known({ tenant }: { tenant: string }) {
  const people = useKnownPeople(tenant);
  return (
    <section className="panel">
      <header>
        <h2>People</h2>
        <span className="quiet small">contacts, and who did something lately</span>
      </header>
      <div className="body">
        <Answer query={people} what="people" rows={2}>
          {(found) =>
            found.length === 0 ? (
              <p className="quiet">Nobody yet.</p>
            ) : (
              <ul className="lines">
                {found.map(({ id, name }) => (
                  <li key={id}>
                    <strong>{name}</strong> <code className="quiet">{id}</code> <Link href={`/t/${tenant}/audit?actor=${encodeURIComponent(id)}`}>what they did</Link>
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
