import { beforeEach, describe, expect, test, vi } from "vitest";

const kept = new Map<string, string>();

beforeEach(() => {
  kept.clear();
  vi.resetModules();
  vi.stubGlobal("sessionStorage", {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => kept.set(name, value),
    removeItem: (name: string) => kept.delete(name),
  });
});

const load = async () => import("./session");

describe("whether somebody is signed in", () => {
  test("isn't known before the API was asked, and is what it says then", async () => {
    const { session } = await load();
    expect(session.standing()).toBe("unknown");
    session.recognise();
    expect(session.standing()).toBe("session");
    session.end();
    expect(session.standing()).toBe("out");
  });

  test("is told by a token before a session; when the token ends there may be one", async () => {
    const { session } = await load();
    session.recognise();
    session.begin("spat_x");
    expect(session.standing()).toBe("token");
    session.end();
    expect(session.token()).toBe("");
    expect(session.standing()).toBe("unknown");
  });
});

test("one comes back to where one was, but not to an invitation", async () => {
  const { returnPath } = await load();
  expect(returnPath({ pathname: "/environments/demo/routes" })).toBe("/environments/demo/routes");
  expect(returnPath({ pathname: "/invitation" })).toBe("/");
});
