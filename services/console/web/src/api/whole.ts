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

/** A page that is only searched: what is looked for is nearly always on the first. */
const SEARCHED_PAGE = 50;
const MOST_SEARCHED_PAGES = 20;

/** Looks through a list until something is found; `more`: it stopped before the end. */
export async function firstOf<A extends { page?: PageResponse }, T>(
  ask: (page: { pageSize: number; pageToken: string }) => Promise<A>,
  pick: (answer: A) => T | undefined,
  most = MOST_SEARCHED_PAGES,
): Promise<{ found: T | undefined; more: boolean }> {
  let pageToken = "";
  for (let pages = 0; pages < most; pages += 1) {
    const answer = await ask({ pageSize: SEARCHED_PAGE, pageToken });
    const found = pick(answer);
    pageToken = answer.page?.nextPageToken ?? "";
    if (found !== undefined || pageToken === "") return { found, more: pageToken !== "" };
  }
  return { found: undefined, more: true };
}
