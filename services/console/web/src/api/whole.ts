// A list asked for to its end, page after page, up to a bound; who shows it can say that there is more.

import type { PageResponse } from "../gen/muster/common/v1/common_pb.ts";

/** The API's largest page. */
const PAGE = 500;
/** 5,000 of a list: what is beyond it is called unknown, and not absent. */
export const MOST_PAGES = 10;

export interface Whole<T> {
  items: T[];
  /** The bound was reached: what is not among the items may be there all the same. */
  more: boolean;
}

export async function whole<A extends { page?: PageResponse }, T>(
  ask: (page: { pageSize: number; pageToken: string }) => Promise<A>,
  items: (answer: A) => readonly T[],
  most = MOST_PAGES,
): Promise<Whole<T>> {
  const all: T[] = [];
  let pageToken = "";
  for (let pages = 0; pages < most; pages += 1) {
    const answer = await ask({ pageSize: PAGE, pageToken });
    all.push(...items(answer));
    pageToken = answer.page?.nextPageToken ?? "";
    if (pageToken === "") return { items: all, more: false };
  }
  return { items: all, more: true };
}
