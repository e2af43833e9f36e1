import type { Page } from "@playwright/test";
import { accessible, api, consoleURL, expect, inEnvironment, open, test } from "./console";

const request = {
  request_id: "req_01k00000000000000000000002", time: "2026-01-02T03:04:05Z", node: "node_1", method: "POST", host: "api.example", path: "/orders", client: "192.0.2.7",
  route: "rt_1", route_name: "orders", consumer: "con_1", consumer_name: "acme", policy: "pol_1", policy_name: "guard", status: 403, verdict: "waf_blocked", revision: 12, duration_us: 2400,
  decision: {
    reason: "score 10, threshold 5", scheme: "https", service_name: "demo",
    stages: [{ policy: "pol_1", name: "guard", kind: "waf", level: "route", verdict: "refused", code: "waf_blocked", reason: "score 10, threshold 5" }],
    findings: [
      { policy: "pol_1", policy_name: "guard", rule: "942100", message: "SQL Injection Attack Detected via libinjection", target: "argument:comment", part: "0' UNION SELECT aaaaaaaa FROM aaaaa--", score: 5 },
      { policy: "pol_1", policy_name: "guard", rule: "942190", message: "Detects MSSQL code execution", target: "argument:00000000…", part: "union select", score: 5, exclusion: "wfx_1", exclusion_name: "comments" },
    ],
  },
};

const report = {
  data: [
    {
      route: "rt_1", route_name: "orders", policy: "pol_1", policy_name: "guard", rule: "942100", message: "SQL Injection Attack Detected via libinjection", requests: 41, refused: 39, shadow_refused: 2, excluded: 0,
      consumers: 9, consumers_succeeded: 8, consumers_failed: 1, addresses: 0, target: "argument:comment", target_requests: 40, rules_per_request: 1.1, last_at: "2026-01-02T03:04:05Z",
      last_request: request.request_id, likely_noise: true, reason: "8 of 9 consumers had other requests on this route answered well within ten minutes.",
    },
    {
      route: "rt_1", route_name: "orders", policy: "pol_1", policy_name: "guard", rule: "930100", message: "Path Traversal Attack (/../)", requests: 7, refused: 7, shadow_refused: 0, excluded: 0,
      consumers: 0, consumers_succeeded: 0, consumers_failed: 0, addresses: 2, target: "path", target_requests: 7, rules_per_request: 4, last_at: "2026-01-02T03:00:00Z",
      last_request: request.request_id, likely_noise: false, reason: "No consumer is known of these requests.",
    },
  ],
  next_cursor: null,
  coverage: { from: "2026-01-01T03:04:05Z", to: "2026-01-02T03:04:05Z", complete: true, missing_batches: 0, silent_nodes: 0, dropped_requests: 12, rows_left_out: 0, nodes: [] },
};

const suggestion = {
  request: request.request_id, route_name: "orders", verdict: "opens_attacks", suffices: true, sentences: ["Of 120 attacks that are refused now, 3 would pass."],
  proposals: [{ rule: 942100, target: "argument:comment", route: "rt_1", mode: "shadow", expires_at: "2026-02-01T03:04:05Z", owner: "ada" }],
  trial: { attacks: 120, attacks_opened: 1, opened: [{ test: "942100-1", title: "SQL injection in an argument", payload: "1' or '1'='1" }] },
};

/** mayExclude lets whoever is signed in make exclusions. */
async function mayExclude(page: Page): Promise<void> {
  await page.route("**/api/v1/me", async (route) => {
    const me = await (await route.fetch()).json();
    await route.fulfill({ json: { ...me, permissions: [...(me.permissions ?? []), { permissions: ["waf-exclusions.write"] }] } });
  });
}

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test("a request shows what was found in it, and an exclusion is proposed, weighed and made in shadow", async ({ page }, info) => {
      const wished: unknown[] = [];
      await mayExclude(page);
      await page.route(`**/api/v1/**/requests/${request.request_id}`, (route) => route.fulfill({ json: request }));
      await page.route("**/waf-exclusions/suggest", async (route) => {
        const wish = route.request().postDataJSON();
        wished.push(wish);
        await route.fulfill({ json: { ...suggestion, published: wish.publish === true } });
      });
      await open(page, `requests/${request.request_id}`);
      await expect(page.locator('[data-verdict="waf_blocked"]').first()).toContainText("score 10, threshold 5 (policy guard)");
      const found = page.locator('[data-finding="942100"]');
      for (const text of ["SQL Injection Attack Detected via libinjection", "argument:comment", "0' UNION SELECT aaaaaaaa FROM aaaaa--", "5"]) await expect(found).toContainText(text);
      await expect(page.locator('[data-finding="942190"]')).toContainText("excluded in shadow by comments");
      await expect(page.locator('[data-stage="guard"]')).toContainText("refused");
      await expect(page.getByRole("button", { name: /^Propose an exclusion/ })).toHaveCount(1); // where it was found the other one is masked
      await accessible(page, "a request with findings");
      await page.screenshot({ path: info.outputPath("request.png"), fullPage: true });

      await page.getByRole("button", { name: "Propose an exclusion of rule 942100 for argument:comment" }).click();
      const dialog = page.getByRole("dialog");
      await expect(dialog.locator('[data-judgement="opens_attacks"]')).toContainText("3 would pass");
      await expect(dialog.locator('[data-proposal="942100"]')).toContainText("argument:comment");
      await expect(dialog.locator('[data-opened="942100-1"]')).toContainText("1' or '1'='1");
      await accessible(page, "a proposed exclusion");
      await page.screenshot({ path: info.outputPath("suggestion.png") });
      expect(wished).toEqual([{ request: request.request_id, rule: 942100 }]);
      await dialog.getByRole("button", { name: "Make it in shadow" }).click();
      await expect(dialog.locator("[data-published]")).toContainText("lets nothing pass yet");
      expect(wished[1]).toEqual({ request: request.request_id, rule: 942100, publish: true });
    });

    test("the report says which rules are likely noise, and leads to their requests", async ({ page }, info) => {
      const asked: URL[] = [];
      await page.route("**/usage/findings?*", async (route) => {
        asked.push(new URL(route.request().url()));
        await route.fulfill({ json: report });
      });
      await open(page, "findings");
      const noise = page.locator('[data-rule="942100"]');
      for (const text of ["orders", "41", "39 refused, 2 in shadow", "9 consumers", "8 with success otherwise, 1 without", "in 40 of 41", "likely noise", "8 of 9 consumers"]) await expect(noise).toContainText(text);
      await expect(page.locator('[data-rule="930100"]')).toContainText("2 addresses of nobody known");
      await expect(page.locator('[data-rule="930100"][data-noise="false"]')).toContainText("no sign of it");
      await expect(page.locator("[data-coverage]")).toContainText("12 rejected requests that nodes had no room to list");
      await accessible(page, "the report on findings");
      await page.screenshot({ path: info.outputPath("report.png"), fullPage: true });
      await page.getByText("7 days").click();
      await expect.poll(() => asked.length).toBe(2);
      const spans = asked.map((url) => Math.round((Date.now() - Date.parse(url.searchParams.get("from") ?? "")) / 3_600_000));
      expect(spans).toEqual([24, 168]);

      const listed = page.waitForRequest((r) => r.url().includes("/requests?"));
      await noise.getByRole("link", { name: "942100" }).click();
      const query = new URL((await listed).url()).searchParams;
      expect([query.get("filter[rule]"), query.get("filter[route]")]).toEqual(["942100", "rt_1"]);
    });
  });
}

test("an exclusion is made in shadow from a request that the WAF really refused", async ({ page }) => {
  await api("PUT", inEnvironment("routes/comments"), { service: "demo", paths: [{ prefix: "/comments" }], public: true });
  await api("PUT", inEnvironment("policies/comments-waf"), { kind: "waf", config: {}, attached_to: [{ route: "comments" }] });
  const attack = encodeURIComponent("1' or '1'='1' union select password from users-- geheim42");
  let id = "";
  await expect.poll(async () => {
    const answer = await fetch(`${process.env.SALLYPORT_EDGE_1}/comments?comment=${attack}`);
    id = answer.headers.get("X-Request-Id") ?? "";
    return answer.status;
  }, { timeout: 30_000 }).toBe(403);
  await expect.poll(async () => (await api("GET", inEnvironment(`requests/${id}`))).status, { timeout: 30_000 }).toBe(200);
  await open(page, `requests/${id}`);
  await expect(page.locator('[data-finding="942100"]')).toContainText("argument:comment");
  expect(await page.content()).not.toContain("geheim42");
  await page.getByRole("button", { name: "Propose an exclusion of rule 942100 for argument:comment" }).first().click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.locator('[data-proposal="942100"]')).toContainText("argument:comment", { timeout: 20_000 });
  await expect(dialog.locator("[data-judgement]")).not.toBeEmpty();
  await accessible(page, "a real proposal");
  await dialog.getByRole("button", { name: "Make it in shadow" }).click();
  await expect(dialog.locator("[data-published]")).toBeVisible({ timeout: 20_000 });
  const made = await api("GET", inEnvironment("waf-exclusions"));
  const exclusion = made.body.data.find((e: { rule?: number }) => e.rule === 942100);
  expect(exclusion).toMatchObject({ target: "argument:comment" });
  expect(["shadow", undefined]).toContain(exclusion.mode);

  await open(page, "findings");
  const row = page.locator('[data-rule="942100"]', { hasText: "comments" });
  await expect(row).toContainText("argument:comment");
  await expect(row).toContainText("refused");
  await accessible(page, "a real report");
});

test("real requests are listed, and one is opened", async ({ page }) => {
  const refused = await fetch(`${process.env.SALLYPORT_EDGE_1}/orders/7?token=geheim42`);
  expect(refused.status).toBe(401);
  const id = refused.headers.get("X-Request-Id") ?? "";
  await expect.poll(async () => (await api("GET", inEnvironment(`requests/${id}`))).status, { timeout: 30_000 }).toBe(200);
  await open(page, "requests");
  await page.locator(`[data-request="${id}"]`).getByRole("link").click();
  await expect(page.getByText(/It was refused: credential_missing/)).toBeVisible();
  await expect(page.locator('[data-stage="orders-key"]')).toContainText("refused");
  await accessible(page, "a real request");
  expect(await page.content()).not.toContain("geheim42");
  await page.getByRole("link", { name: "Requests" }).first().click();
  await page.getByLabel("Only with a rule").fill("999999"); // none has this number
  await expect(page.getByRole("heading", { name: "No requests" })).toBeVisible();
  await page.goto(`${consoleURL()}/environments/demo/requests/req_01jc0000000000000000000000`);
  await expect(page.locator('[data-problem="not_found"]')).toBeVisible();
});
