// A list that grows by pages, up to a bound: a page that stands open for days does not fill the browser's memory.

/** With 50 to 100 lines in each. Whoever needs more narrows the search, or exports. */
export const MAX_PAGES = 20;

interface Pages {
  data: { pages: unknown[] } | undefined;
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
}

export function Older({ list, what }: { list: Pages; what: string }) {
  if (!list.hasNextPage) return null;
  if ((list.data?.pages.length ?? 0) >= MAX_PAGES) return <p className="quiet">There are older {what}. One page shows no more: narrow what is shown.</p>;
  return (
    <button type="button" className="button" disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
      {list.isFetchingNextPage ? "Loading" : `Older ${what}`}
    </button>
  );
}
