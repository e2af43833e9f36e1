import type { Me } from "@sallyport/client";
import { describe, expect, test } from "vitest";
import { callerOf, nobody } from "./explain/caller";
import { holds, rolesOf } from "./me";

const me: Me = {
  role_bindings: [{ role: "viewer" }, { role: "viewer", environment: "env_a", team: "team_1" }, { role: "operator", environment: "env_b" }],
  permissions: [
    { permissions: ["configuration.read"] },
    { environment: "env_a", team: "team_1", permissions: ["credentials.write"] },
    { environment: "env_b", permissions: ["blocks.write"] },
  ],
};

describe("what somebody may do", () => {
  test("is what they hold everywhere, in the environment, or for a team there", () => {
    expect(holds(me, "configuration.read", "env_a")).toBe(true);
    expect(holds(me, "credentials.write", "env_a")).toBe(true);
    expect(holds(me, "blocks.write", "env_b")).toBe(true);
  });

  test("is nothing that they hold elsewhere, or that nobody gave them", () => {
    expect(holds(me, "blocks.write", "env_a")).toBe(false);
    expect(holds(me, "credentials.write", undefined)).toBe(false);
    expect(holds(me, "configuration.write", "env_a")).toBe(false);
    expect(holds({}, "configuration.read", "env_a")).toBe(false);
  });

  test("comes by roles, each named once", () => {
    expect(rolesOf(me, "env_a")).toEqual(["viewer"]);
    expect(rolesOf(me, "env_b")).toEqual(["viewer", "operator"]);
    expect(rolesOf({}, "env_a")).toEqual([]);
  });
});

describe("the caller of an explained request", () => {
  test("is left to the headers until a key or a consumer is picked", () => {
    expect(callerOf({ ...nobody, named: "key_1" })).toEqual({});
    expect(callerOf({ by: "key", named: null, scopes: "" })).toEqual({});
  });

  test("is a key, or a consumer with the scopes that were typed", () => {
    expect(callerOf({ by: "key", named: "key_1", scopes: "ignored" })).toEqual({ caller: { api_key: "key_1" } });
    expect(callerOf({ by: "consumer", named: "con_1", scopes: "" })).toEqual({ caller: { consumer: "con_1" } });
    expect(callerOf({ by: "consumer", named: "con_1", scopes: " a:read,b:read " })).toEqual({ caller: { consumer: "con_1", scopes: ["a:read", "b:read"] } });
  });
});
