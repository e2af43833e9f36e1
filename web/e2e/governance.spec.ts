import type { Page } from "@playwright/test";
import { accessible, api, expect, inEnvironment, open, test } from "./console";

// What stands around a change: what it means for callers, who may make it, and what the environment demands of it. Against the real stack.

const service = { upstream: { targets: [{ address: "127.0.0.1:9" }] } };
const review = (page: Page) => page.getByRole("button", { name: "Review and publish" }).click();
const publish = (page: Page) => page.getByRole("button", { name: "Publish", exact: true }).click();

async function made(method: string, path: string, body: unknown): Promise<any> {
  const answer = await api(method, path, body);
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body;
}

/** land makes an environment with a route that a key protects. */
async function land(name: string): Promise<(path: string) => string> {
  await made("POST", "/environments", { name });
  const at = (path: string) => `/environments/${name}/${path}`;
  await made("PUT", at("services/back"), service);
  await made("POST", at("changes"), {
    operations: [
      { action: "put", collection: "routes", key: "open", body: { service: "back", paths: [{ prefix: "/" }], public: true } },
      { action: "put", collection: "policies", key: "keys", body: { kind: "api-key", config: {}, attached_to: [{ route: "open" }] } },
    ],
  });
  return at;
}

test("a plan says first what it means for callers, and on which routes", async ({ page }) => {
  const at = await land("meanings");
  await open(page, "policies/keys", { in: "meanings" });
  await page.locator('[data-pointer="/mode"]').getByText("Off", { exact: true }).click();
  await review(page);
  const effect = page.locator('[data-effect="route_public"]');
  await expect(effect).toHaveAttribute("data-severity", "danger");
  await expect(effect).toContainText(/Nobody is asked any more who calls/);
  await expect(effect.locator('[data-affected="open"]')).toBeVisible();
  await expect(page.locator('[data-change="update"]')).toContainText("/mode");
  await accessible(page, "effects");
  await page.getByRole("button", { name: "Back to editing" }).click();
  expect((await api("GET", at("policies/keys"))).body.mode).toBeUndefined();

  await page.getByRole("button", { name: "Delete …" }).click();
  await expect(page.getByRole("dialog").locator('[data-effect="route_public"]')).toBeVisible();
});

test("an environment of four eyes refuses a direct write, and the problem says what mends it", async ({ page }) => {
  const at = await land("four-eyes");
  await made("PATCH", at("settings"), { four_eyes: true });
  await open(page, "policies/keys", { in: "four-eyes" });
  await page.locator('[data-pointer="/description"] textarea').first().fill("Mine");
  await review(page);
  await expect(page.getByText(/can be filed as a proposal/)).toBeVisible();
  await publish(page);
  await expectPage(page, "proposal_required", /Proposal required/, /proposals/);
  await expect(page.locator('[data-pointer="/description"] textarea').first()).toHaveValue("Mine");
});

test("a broken guardrail says its message, its code and what mends it", async ({ page }) => {
  const at = await land("railed");
  await made("PUT", at("guardrails/described"), { applies_to: "policies", rule: 'object.name != "keys" || object.mode != "shadow"', message: "Keys are enforced here: leave {name} on." });
  await open(page, "policies/keys", { in: "railed" });
  await page.locator('[data-pointer="/mode"]').getByText("Shadow", { exact: true }).click();
  await review(page);
  await expect(page.locator('[data-code="guardrail_violated"]').first()).toContainText("Keys are enforced here: leave keys on.");
  await expectPage(page, "guardrail_violated", /guardrail/i, /.+/);
});

test("what nodes can't do yet is refused with its code", async ({ page }) => {
  await page.route(/dry_run=true$/, async (route) => {
    const { body } = await api("GET", "/problems/capability_missing");
    await route.fulfill({ status: body.status, json: { type: body.type, title: body.title, status: body.status, code: body.code, detail: "edge-7 is too old", request_id: "req_old" } });
  });
  await open(page, "policies/orders-key");
  await review(page);
  await expect(page.locator('[data-problem="capability_missing"]')).toContainText("Edge-7 is too old");
  await expectPage(page, "capability_missing", /.+/, /.+/);
});

/** expectPage opens a problem's page by its code, beside which the request's id stands. */
async function expectPage(page: Page, code: string, title: RegExp, mend: RegExp): Promise<void> {
  const problem = page.locator(`[data-problem="${code}"]`);
  await expect(problem).toContainText(/request req_/);
  await problem.getByRole("button", { name: `What ${code} means` }).click();
  const about = page.locator(`[data-problem-page="${code}"]`);
  await expect(about).toContainText(title);
  await expect(about).toContainText(mend);
  await expect(about.getByRole("link", { name: "The problem's page" })).toHaveAttribute("href", `/api/v1/problems/${code}`);
  await accessible(page, `the page of ${code}`);
}

test("who may only look is offered nothing to change, and is told as whom the API knows them", async ({ page }) => {
  const viewer = await made("POST", "/access-tokens", { name: "onlooker", role: "viewer" });
  await open(page, "policies", { as: viewer.token });
  await expect(page.locator("tr[data-policy]").first()).toBeVisible();
  await expect(page.locator('[data-me="onlooker"]')).toContainText("viewer");
  const navigation = page.getByRole("navigation", { name: "Main" });
  await expect(navigation.getByRole("link", { name: "Policies" })).toBeVisible();
  for (const label of ["API keys", "Explain a request"]) await expect(navigation.getByRole("link", { name: label })).toHaveCount(0);
  await expect(page.getByRole("link", { name: "New policy" })).toHaveCount(0);
  await page.getByRole("link", { name: "orders-key" }).click();
  await expect(page.getByText("You may look at it")).toBeVisible();
  for (const name of ["Review and publish", "Delete …"]) await expect(page.getByRole("button", { name })).toHaveCount(0);
  await accessible(page, "a policy that may only be looked at");
});

test("a field that takes a permission of its own says so, and is edited by whom the API knows to hold it", async ({ page }) => {
  const rule = 'SecRule REQUEST_HEADERS:X-Probe "@streq 1" "id:100,phase:1,pass,nolog"';
  await made("PUT", inEnvironment("policies/raw-rules"), { kind: "waf", config: { seclang_before: rule } });
  await open(page, "policies/raw-rules");
  const field = page.locator('[data-pointer="/config/seclang_before"]');
  await expect(field.locator('[data-permission="waf.raw_rules"]')).toHaveText("Takes the permission waf.raw_rules.");
  await expect(field.locator("textarea").first()).toHaveValue(rule);
  await expect(field.locator("textarea").first()).toBeEditable();

  const manager = await made("POST", "/access-tokens", { name: "product-manager", role: "product-manager" });
  await open(page, "policies/raw-rules", { as: manager.token });
  await expect(field.locator("[data-withheld]")).toHaveText("Takes the permission waf.raw_rules, which your roles here don't have.");
  await expect(field).toContainText(rule);
  await expect(page.locator('[data-pointer="/config/seclang_after"]')).toContainText("Not set");
  for (const pointer of ["seclang_before", "seclang_after"]) await expect(page.locator(`[data-pointer="/config/${pointer}"]`).locator("textarea, input")).toHaveCount(0);
  await accessible(page, "a field that may only be looked at");

  await page.locator('[data-pointer="/config/paranoia_level"] input').fill("2"); // all else is theirs to change
  await review(page);
  await publish(page);
  await expect.poll(async () => (await api("GET", inEnvironment("policies/raw-rules"))).body.config).toEqual({ paranoia_level: 2, seclang_before: rule });
});

test("a policy on a consumer is listed with its level", async ({ page }) => {
  await made("PUT", inEnvironment("consumers/level-consumer"), {});
  await made("PUT", inEnvironment("policies/a-consumers-own"), {
    kind: "rate-limit", config: { by: [{ consumer: true }], windows: [{ requests: 5, window: "1s" }] }, attached_to: [{ consumer: "level-consumer" }],
  });
  await open(page, "policies");
  await page.getByLabel("Search policies").fill("a-consumers-own");
  await expect(page.locator('[data-policy="a-consumers-own"]')).toContainText("consumer level-consumer");
  await page.locator('[data-policy="a-consumers-own"]').getByRole("link").click();
  await expect(page.locator('[data-oneof="/attached_to/0#level"]').getByRole("radio", { name: "Consumer" })).toBeChecked();
  await expect(page.locator('[data-pointer="/attached_to/0/consumer"] input').first()).toHaveValue("level-consumer");
});
