// Every change of one declared document, out of the record.

import { useInfiniteQuery } from "@tanstack/react-query";
import { audit } from "../../api/clients.ts";
import { troubleOf } from "../../api/trouble.ts";
import { Changes } from "../../ui/changes.tsx";
import { Older } from "../../ui/older.tsx";
import { Loading, TroubleNotice } from "../../ui/states.tsx";
import { Moment } from "../../ui/time.tsx";

/** `kind` as the record calls it: "notification-route". */
export function DocumentHistory({ tenant, kind, name }: { tenant: string; kind: string; name: string }) {
  const list = useInfiniteQuery({
    queryKey: ["changes", tenant, kind, name],
    queryFn: ({ pageParam }) => audit.listConfigurationChanges({ tenant, kind, name, page: { pageSize: 50, pageToken: pageParam } }),
    initialPageParam: "",
    getNextPageParam: (last) => last.page?.nextPageToken || undefined,
  });
  const found = list.data?.pages.flatMap((page) => page.changes).filter((change) => change.name === name) ?? [];
  return (
    <section className="panel">
      <header>
        <h2>Who changed what</h2>
      </header>
      <div className="body">
        {list.error ? (
          <TroubleNotice trouble={troubleOf(list.error)} retry={() => void list.refetch()} />
        ) : list.isPending ? (
          <Loading what="changes" rows={2} />
        ) : found.length === 0 ? (
          <p className="quiet">Nothing was recorded.</p>
        ) : (
          <ul className="lines">
            {found.map((change, index) => (
              <li key={`${change.sequence}/${index}`}>
                Version {String(change.documentVersion)}, {change.what} by <strong>{change.actor?.name || change.actor?.id}</strong>, <Moment at={change.time} />
                {change.field && <Changes changes={[change]} />}
              </li>
            ))}
          </ul>
        )}
        <Older list={list} what="changes" />
      </div>
    </section>
  );
}
