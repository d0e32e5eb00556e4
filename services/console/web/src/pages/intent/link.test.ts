import { describe, expect, it } from "vitest";
import { stepUpAddress } from "../../api/session.ts";
import { tenantOf } from "./link.ts";

const token = (claims: unknown) => `${btoa(JSON.stringify(claims)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}.c2ln`;

describe("the link of a message", () => {
  it("says where it belongs", () => {
    expect(tenantOf(token({ v: 1, t: "acme", n: "??>>~~" }))).toBe("acme");
  });

  it("is nothing when it was cut or made up", () => {
    for (const wrong of ["", ".", "x.y", token(null), token("acme"), token({ t: 1 }), token({ t: "../evil" }), token({ t: "" })]) {
      expect(tenantOf(wrong), wrong).toBeUndefined();
    }
  });

  it("comes back after the login that it asks for", () => {
    expect(stepUpAddress("/intent/a.b")).toBe("/login?step_up=true&back_to=%2Fintent%2Fa.b");
  });
});
