import { describe, expect, it } from "vitest";
import { perSystem } from "./known.ts";

describe("what is known of several systems", () => {
  it("is one line for each", () => {
    const text = "orders-db: orders-a does not answer. orders-b is a primary. catalog-db: Nothing was changed.";
    expect(perSystem(text, ["orders-db", "catalog-db"])).toEqual(["orders-db: orders-a does not answer. orders-b is a primary.", "catalog-db: Nothing was changed."]);
  });

  it("is nowhere else broken, and never loses a word", () => {
    const one = "orders-db: orders-a: it stands. orders-db: twice";
    expect(perSystem(one, ["orders-db"])).toEqual([one]);
    expect(perSystem("the plan waits for orders-db: nobody came", ["orders-db", "a.b"])).toEqual(["the plan waits for orders-db: nobody came"]);
    expect(perSystem("", ["orders-db", "a.b"])).toEqual([]);
    expect(perSystem("axb: no. a.b: yes", ["a.b", "c"])).toEqual(["axb: no.", "a.b: yes"]);
  });
});
