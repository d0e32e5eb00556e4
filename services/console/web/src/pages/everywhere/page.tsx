// What is worst anywhere: the worst of every tenant that one has a role in.

import { useQueries } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "wouter";
import { monitor } from "../../api/clients.ts";
import { usePerson } from "../../api/person.ts";
import { troubleOf } from "../../api/trouble.ts";
import { useNow } from "../../lib/clock.ts";
import { humane, milliseconds } from "../../lib/time.ts";
import { counted, tier } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { Scroll } from "../../ui/scroll.tsx";
import { Empty, Loading } from "../../ui/states.tsx";
import { LIGHT_WORDS, lightTone, why } from "../fleet/rows.ts";
import { LOOK_EVERY_MS, OPERATING, type Place, WORST_OF_EACH, worst } from "./worst.ts";

export function EverywherePage() {
  const person = usePerson();
  const tenants = person.tenants.map(({ tenant }) => tenant).filter((tenant) => tenant !== OPERATING);
  const answers = useQueries({
    queries: tenants.map((tenant) => ({
      queryKey: ["worst", tenant],
      queryFn: async () => {
        const { resources, page } = await monitor.listReadiness({ tenant, page: { pageSize: WORST_OF_EACH } });
        return { resources, more: Boolean(page?.nextPageToken), at: performance.now() };
      },
      refetchInterval: LOOK_EVERY_MS,
    })),
  });
  const now = useNow();
  const places = tenants.map((tenant, index): Place => ({ tenant, answer: answers[index]?.data, failed: Boolean(answers[index]?.error) }));
  const rows = useMemo(() => worst(places, performance.now()), [now, ...answers.map(({ data }) => data)]);
  const cut = tenants.filter((_, index) => answers[index]?.data?.more);
  const failed = places.filter((place) => place.failed);
  return (
    <>
      <div className="head">
        <h1>All tenants, worst first</h1>
        <p className="quiet" role="status">
          {counted(tenants.length, "tenant")}
        </p>
      </div>
      {failed.map(({ tenant }) => (
        <p key={tenant} className="notice unknown" role="alert">
          <strong>{tenant} cannot be seen now.</strong> {troubleOf(answers[tenants.indexOf(tenant)]?.error).text}
        </p>
      ))}
      {answers.some(({ isPending }) => isPending) ? (
        <Loading what="all tenants" />
      ) : rows.length === 0 ? (
        <Empty title="Nothing is protected in any of your tenants" />
      ) : (
        <Scroll label="All tenants, worst first" className="panel">
          <table className="cards">
            <thead>
              <tr>
                <th>Status</th>
                <th>Tenant</th>
                <th>Resource</th>
                <th>Why</th>
                <th>RPO now / target</th>
                <th>Tier</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(({ tenant, view, light }) => (
                <tr key={`${tenant}/${view.resource}`}>
                  <td>
                    <Light tone={lightTone(light)}>{LIGHT_WORDS[light]}</Light>
                  </td>
                  <td data-label="Tenant">
                    <Link href={`/t/${tenant}`}>{tenant}</Link>
                  </td>
                  <td>
                    <Link href={`/t/${tenant}/resources/${view.resource}`}>
                      <strong>{view.resource}</strong>
                    </Link>
                  </td>
                  <td>{why(view)}</td>
                  <td className="nowrap" data-label="RPO now / target">
                    {humane(milliseconds(view.assessment?.rpoNow))} / {view.rpoTarget ? humane(milliseconds(view.rpoTarget)) : "none"}
                  </td>
                  <td className="nowrap">{tier(view.tier)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      {cut.length > 0 && (
        <p className="quiet">
          Of each tenant the worst {WORST_OF_EACH}. More are in{" "}
          {cut.map((tenant, index) => (
            <span key={tenant}>
              {index > 0 && ", "}
              <Link href={`/t/${tenant}`}>{tenant}</Link>
            </span>
          ))}
          .
        </p>
      )}
    </>
  );
}
