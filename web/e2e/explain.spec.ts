import type { Page } from "@playwright/test";
import { accessible, api, expect, open, test } from "./console";

const answer = {
  nodes: [
    {
      node: "node_1", name: "edge-1", answered: true, revision: 12, sequence: 30, verdict: "forbidden", reason: "the key lacks the scope orders:read", policy: "orders-key", status: 403,
      shadow_verdict: "rate_limited", client_address: "192.0.2.1", host: "localhost", path: "/orders/7",
      route: { id: "rt_1", name: "orders", path: "/orders", compared: "prefix", params: { id: "7" } },
      near_misses: [{ route: "rt_2", name: "hello", part: "path", wanted: "/hello", given: "/orders/7", others: 1 }, { route: "rt_3", name: "any", part: "precedence" }],
      stages: [
        { policy: "pol_1", name: "orders-guard", kind: "rate-limit", level: "environment", phase: "guard", mode: "shadow", verdict: "shadow_refused", code: "rate_limited", reason: "more than 50 in 1s", took_ns: 900 },
        { policy: "pol_2", name: "orders-key", kind: "api-key", level: "route", phase: "authenticate", mode: "enforce", verdict: "refused", code: "forbidden", reason: "the key lacks the scope", took_ns: 1900 },
        { policy: "pol_3", name: "orders-limit", kind: "rate-limit", level: "route", phase: "limit", mode: "enforce", verdict: "not_reached" },
      ],
      answer: { headers: [{ name: "Content-Type", value: "application/problem+json" }], body: '{"code":"forbidden"}' },
    },
    { node: "node_2", name: "edge-2", answered: false, code: "node_unreachable", detail: "it isn't connected" },
  ],
  differences: [{ field: "revision", sides: [{ value: "12", nodes: ["node_1"] }, { value: "", nodes: ["node_2"] }] }],
};

test("what nodes would do is shown: verdict, route, near misses, each policy in its order", async ({ page }) => {
  const asked: unknown[] = [];
  await page.route(/\/api\/v1\/.*\/explain(\?|$)/, async (route) => {
    asked.push({ url: new URL(route.request().url()).search, body: route.request().postDataJSON() });
    await route.fulfill({ json: answer });
  }, { times: 1 });
  await open(page, "explain");
  await page.getByLabel("Path and query").fill("/orders/7?x=1");
  await page.getByLabel("Host").fill("api.example.com");
  await page.getByText("A consumer", { exact: true }).click();
  await page.getByRole("combobox", { name: "Consumer" }).click();
  await page.getByRole("option", { name: "guest", exact: true }).click();
  await page.getByLabel("Scopes of that key").fill("a:read, b:read");
  await page.getByRole("button", { name: "Add header" }).click();
  await page.getByLabel("Name of header 1").fill("X-Tenant");
  await page.getByLabel("Value of header 1").fill("acme");
  await page.getByRole("switch", { name: /Ask every node/ }).check();
  await page.getByRole("button", { name: "Explain", exact: true }).click();

  await expect(page.locator('[data-verdict="forbidden"]')).toContainText("the key lacks the scope orders:read");
  const guest = await api("GET", "/environments/demo/consumers/guest");
  expect(asked).toEqual([{
    url: "?nodes=all",
    body: { method: "GET", target: "/orders/7?x=1", host: "api.example.com", headers: [{ name: "X-Tenant", value: "acme" }], caller: { consumer: guest.body.id, scopes: ["a:read", "b:read"] } },
  }]);
  await expect(page.locator('[data-found-route="orders"]')).toContainText("prefix");
  await expect(page.locator('[data-miss="hello"]')).toContainText("wants /hello, has /orders/7, and 1 more");
  await expect(page.locator('[data-miss="any"]')).toContainText("more specific");
  expect(await page.locator("[data-stage]").evaluateAll((all) => all.map((s) => `${s.getAttribute("data-stage")} ${s.getAttribute("data-verdict")}`))).toEqual([
    "orders-guard shadow_refused", "orders-key refused", "orders-limit not_reached",
  ]);
  await expect(page.locator('[data-difference="revision"]')).toContainText("12 edge-1");
  await accessible(page, "an explanation");
  await page.getByRole("radiogroup", { name: "Node" }).getByText("edge-2").click();
  await expect(page.getByText(/it isn't connected/)).toBeVisible();
});

const explain = (page: Page) => page.getByRole("button", { name: "Explain", exact: true }).click();
const stages = (page: Page) => page.locator("[data-stage]").evaluateAll((all) => all.map((s) => `${s.getAttribute("data-stage")} ${s.getAttribute("data-verdict")}`));

test("real nodes say what they would do, for whoever the caller is taken to be", async ({ page }) => {
  await open(page, "explain");
  await page.getByLabel("Path and query").fill("/orders/7");
  await page.getByRole("switch", { name: /Ask every node/ }).check();
  await explain(page);
  await expect(page.locator('[data-found-route="orders"]')).toContainText("prefix /orders");
  await expect(page.locator('[data-miss="hello"]')).toContainText(/path: wants .+, has \/orders\/7/);
  await expect(page.locator('[data-verdict="credential_missing"]').first()).toBeVisible();
  expect(await stages(page)).toEqual(["orders-key refused", "orders-limit not_reached"]);
  await expect(page.locator('[data-stage="orders-key"]')).toContainText(/API key · authenticate · route/);
  await expect(page.getByRole("radiogroup", { name: "Node" }).getByRole("radio")).toHaveCount(2);
  await expect(page.locator("[data-agreement], [data-difference]").first()).toBeVisible(); // a revision may be on its way to one of them

  // Taken to be a consumer with the scope it is let through; with another one it isn't.
  await page.getByText("A consumer", { exact: true }).click();
  await page.getByRole("combobox", { name: "Consumer" }).click();
  await page.getByRole("option", { name: "shop", exact: true }).click();
  await page.getByLabel("Scopes of that key").fill("orders:read");
  await explain(page);
  await expect(page.locator('[data-verdict="allowed"]')).toContainText("It is let through");
  await expect(page.getByText("consumer shop")).toBeVisible();
  expect(await stages(page)).toEqual(["orders-key passed", "orders-limit passed"]);
  await page.getByLabel("Scopes of that key").fill("orders:write");
  await explain(page);
  await expect(page.locator('[data-stage="orders-key"][data-verdict="refused"]')).toContainText("scope");

  // Or a key that is there, which nobody here knows.
  await page.getByText("A stand-in key", { exact: true }).click();
  await page.getByRole("combobox", { name: "API key" }).click();
  await page.getByRole("option", { name: /guest$/ }).first().click();
  await explain(page);
  await expect(page.locator('[data-stage="orders-key"][data-verdict="refused"]')).toContainText("scope");
  await expect(page.getByText("consumer guest")).toBeVisible();
  await accessible(page, "a real explanation");
});

test("what can't be asked is said at its field", async ({ page }) => {
  await open(page, "explain");
  await page.getByLabel("Address of the client").fill("nowhere");
  await explain(page);
  await expect(page.getByLabel("Address of the client")).toHaveAttribute("aria-invalid", "true");
  await expect(page.locator("[data-problem]")).toContainText(/request req_/);
});
