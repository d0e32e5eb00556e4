// What is true of the systems now, beside what was true when it was asked.

import { useQueries } from "@tanstack/react-query";
import { monitor } from "../../api/clients.ts";
import { humane, milliseconds } from "../../lib/time.ts";
import { Light } from "../../ui/light.tsx";
import { ageOf, isFresh, LIGHT_WORDS, lightNow, lightTone, type Seen } from "../fleet/rows.ts";

const LOOK_EVERY_MS = 2_000;

export function useSeen(tenant: string, resources: string[]): Map<string, Seen> {
  const answers = useQueries({
    queries: resources.map((resource) => ({
      queryKey: ["readiness", tenant, resource],
      queryFn: async (): Promise<Seen | null> => {
        const { resource: view } = await monitor.getReadiness({ tenant, resource });
        return view ? { view, at: performance.now() } : null;
      },
      refetchInterval: LOOK_EVERY_MS,
    })),
  });
  return new Map(answers.flatMap(({ data }) => (data ? [[data.view.resource, data] as const] : [])));
}

export function Now({ seen }: { seen: Seen | undefined }) {
  if (!seen) return <span className="quiet">asking</span>;
  const now = performance.now();
  const light = lightNow(seen, now);
  const age = ageOf(seen, now);
  return (
    <>
      <Light tone={lightTone(light)}>{LIGHT_WORDS[light]}</Light>
      <br />
      <span className="small quiet">
        RPO {humane(milliseconds(seen.view.assessment?.rpoNow))},{" "}
        {age === undefined ? "never seen" : isFresh(seen, now) ? `seen ${humane(Math.round(age / 1000) * 1000)} ago` : <strong className="text-unknown">stale, {humane(age)}</strong>}
      </span>
    </>
  );
}
