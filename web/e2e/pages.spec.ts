import { accessible, api, consoleURL, environment, expect, inEnvironment, open, test, token } from "./console";

const routes = inEnvironment("routes");

test("who signs in with a token sees the routes; the token stays in the tab", async ({ page, context }) => {
  const seen: string[] = [];
  page.on("request", (request) => seen.push(request.url()));
  await page.goto(`${consoleURL()}/environments/${environment}/policies`);
  await expect(page.getByRole("heading", { name: "Sign in to Sallyport" })).toBeVisible();

  await page.getByRole("button", { name: "Use an access token" }).click();
  await page.getByLabel("Access token").fill("spat_nobody");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  const refused = page.locator('[data-problem="unauthenticated"]');
  await expect(refused).toContainText(/request req_[0-9a-z]+/);

  await page.getByLabel("Access token").fill(token());
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Policies", level: 1 })).toBeVisible();
  await page.reload();
  await expect(page.getByRole("heading", { name: "Policies", level: 1 })).toBeVisible();

  expect(seen.filter((url) => url.includes("spat_"))).toEqual([]);
  expect(await page.evaluate(() => JSON.stringify(localStorage) + document.cookie)).not.toContain("spat_");
  const other = await context.newPage();
  await other.goto(consoleURL());
  await expect(other.getByRole("heading", { name: "Sign in to Sallyport" })).toBeVisible();

  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in to Sallyport" })).toBeVisible();
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
});

test("a token that is deleted meanwhile leads to the sign-in", async ({ page }) => {
  const made = await api("POST", "/access-tokens", { name: "short-lived", role: "viewer" });
  await page.goto(consoleURL());
  await page.getByRole("button", { name: "Use an access token" }).click();
  await page.getByLabel("Access token").fill(made.body.token);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(page.locator("[data-route]").first()).toBeVisible();
  await page.waitForLoadState("networkidle"); // else what the page still asks for leads there before the click
  await api("DELETE", "/access-tokens/short-lived");
  await page.getByRole("link", { name: "Policies" }).click();
  await expect(page.getByRole("heading", { name: "Sign in to Sallyport" })).toBeVisible();
});

test("routes show their policies in the order in which they run, and why others don't", async ({ page }) => {
  await api("PUT", `${routes}/ordered`, { service: "demo", paths: [{ template: "/ordered/{id}" }], methods: ["GET", "POST"], hosts: ["api.example.com"] , public: true });
  const limit = { kind: "rate-limit", config: { by: [{ key: true }], windows: [{ requests: 5, window: "1s" }] } };
  const guard = { kind: "rate-limit", config: { by: [{ address: true }], windows: [{ requests: 50, window: "1s" }] } };
  const key = { kind: "api-key", config: {} };
  await api("PUT", inEnvironment("policies/ordered-z-guard"), { ...guard, attached_to: [{ route: "ordered" }] });
  await api("PUT", inEnvironment("policies/ordered-a-limit"), { ...limit, mode: "shadow", attached_to: [{ route: "ordered" }] });
  await api("PUT", inEnvironment("policies/ordered-service-key"), { ...key, mode: "shadow", attached_to: [{ service: "demo" }] });
  await api("PUT", inEnvironment("policies/ordered-key"), { ...key, attached_to: [{ route: "ordered" }] });

  await open(page, "routes");
  const row = page.locator('[data-route="ordered"]');
  await expect(row.locator("[data-policy]")).toHaveCount(4);
  expect(await row.locator("[data-policy]").evaluateAll((chips) => chips.map((c) => `${c.getAttribute("data-policy")} ${c.getAttribute("data-state")}`))).toEqual([
    "ordered-z-guard running", "ordered-service-key replaced", "ordered-key running", "ordered-a-limit running",
  ]);
  await expect(row.locator('[data-policy="ordered-a-limit"]')).toContainText("Rate limit · route");
  await expect(row.locator('[data-policy="ordered-a-limit"]')).toContainText("shadow");
  await expect(row.locator('[data-policy="ordered-service-key"]')).toContainText("one on the route takes its place");
  for (const text of ["Public", "GET", "POST", "/ordered/{id}", "api.example.com", "demo"]) await expect(row).toContainText(text);

  await page.getByLabel("Search routes").fill("no such route");
  await expect(page.getByRole("heading", { name: "No route of that name" })).toBeVisible();
  await page.getByLabel("Search routes").fill("ordered");
  await row.getByRole("link", { name: /ordered-key/ }).click();
  await expect(page.getByRole("heading", { name: "ordered-key", level: 1 })).toBeVisible();
  await api("DELETE", inEnvironment("policies/ordered-service-key"));
});

test("a save on top of somebody else's change is refused, and theirs can be loaded", async ({ page }) => {
  await api("PUT", inEnvironment("policies/shared"), { kind: "rate-limit", config: { by: [{ route: true }], windows: [{ requests: 5, window: "1s" }] } });
  await open(page, "policies/shared");
  const requests = page.locator('[data-pointer="/config/windows/0/requests"] input');
  await requests.fill("7");
  await page.getByRole("button", { name: "Review and publish" }).click();
  const plan = page.locator('[data-change="update"]');
  await expect(plan.getByRole("row", { name: "/config/windows/0/requests 5 7" })).toBeVisible();

  expect((await api("PATCH", inEnvironment("policies/shared"), { description: "Theirs" })).status).toBe(200);
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  await expect(page.locator('[role="alert"][data-problem]')).toContainText(/request req_/);
  await page.getByRole("button", { name: "Discard mine and load theirs" }).click();
  await expect(page.locator('[data-pointer="/description"] textarea').first()).toHaveValue("Theirs");
  await expect(requests).toHaveValue("5");

  await requests.fill("9");
  await page.getByRole("button", { name: "Review and publish" }).click();
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  await expect(page.getByText(/Revision \d+ is on its way/)).toBeVisible();
  expect((await api("GET", inEnvironment("policies/shared"))).body).toMatchObject({ description: "Theirs", config: { windows: [{ requests: 9, window: "1s" }] } });
});

test("an error goes away where something is changed, and comes again if it is still wrong", async ({ page }) => {
  await open(page, "policies/new/rate-limit");
  await page.locator('[data-pointer="/name"] input').fill("mended");
  await page.locator('[data-add="/config/windows"]').click();
  await page.locator('[data-pointer="/config/windows/0/requests"] input').fill("0");
  await page.getByRole("button", { name: "Review and publish" }).click();
  const error = page.locator('[data-errors="/config/windows/0/requests"]');
  await expect(error).toBeVisible();
  await expect(page.locator('[data-errors="/config/windows/0/window"]')).toBeVisible();
  await expect(page.locator('[data-pointer="/config/windows/0/requests"] input')).toHaveAttribute("aria-invalid", "true");
  await page.locator('[data-pointer="/config/windows/0/requests"] input').fill("-1");
  await expect(error).toBeHidden();
  await expect(page.locator('[data-errors="/config/windows/0/window"]')).toBeVisible();
  await page.getByRole("button", { name: "Review and publish" }).click();
  await expect(error).toBeVisible();
});

test("a policy that a route needs can't be deleted, and another can", async ({ page }) => {
  await open(page, "policies/orders-key");
  await page.getByRole("button", { name: "Delete …" }).click();
  await expect(page.getByRole("dialog").locator("[data-problem]")).toContainText(/public|authenticate/i);
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();

  await api("PUT", inEnvironment("policies/doomed"), { kind: "api-key", config: {} });
  await open(page, "policies/doomed");
  await page.getByRole("button", { name: "Delete …" }).click();
  await expect(page.locator('[data-change="delete"]')).toContainText("doomed");
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Policies", level: 1 })).toBeVisible();
  expect((await api("GET", inEnvironment("policies/doomed"))).status).toBe(404);
});

test("a key is made for a consumer, shown once, and never again", async ({ page }) => {
  await open(page, "keys");
  await page.getByRole("button", { name: "New key" }).first().click();
  await page.getByRole("button", { name: "Create key" }).click();
  await expect(page.locator('[data-errors="/consumer"]')).toBeVisible();

  await page.getByRole("combobox", { name: "Consumer" }).fill("sho");
  await page.getByRole("option", { name: "shop" }).click();
  await page.locator('[data-pointer="/name"] input').fill("by-hand");
  await page.locator('[data-add="/scopes"]').click();
  await page.locator('[data-pointer="/scopes/0"] input').fill("orders:read");
  await page.locator('[data-pointer="/expires_at"] input').fill("2031-01-01T12:00:00");
  await accessible(page, "making a key");
  await page.getByRole("button", { name: "Create key" }).click();
  const text = await page.locator("[data-made-key]").innerText();
  expect(text).toMatch(/^spk_demo_/);
  await accessible(page, "a made key");
  await page.getByRole("button", { name: "I have it" }).click();
  await expect(page.locator('[data-key-name="by-hand"]')).toContainText("orders:read");
  await expect(page.locator('[data-key-name="by-hand"]')).toContainText("shop");
  expect(await page.content()).not.toContain(text);
  await page.reload();
  await expect(page.locator('[data-key-name="by-hand"]')).toBeVisible();
  expect(await page.content()).not.toContain(text);

  const key = await api("GET", inEnvironment("api-keys/by-hand"));
  expect(key.body).toMatchObject({ scopes: ["orders:read"], expires_at: "2031-01-01T11:00:00Z" });
  await expect.poll(async () => (await fetch(`${process.env.SALLYPORT_EDGE_1}/orders/1`, { headers: { "X-Api-Key": text } })).status).toBe(200);
});

test("the environment is switched, and an empty one says how to begin", async ({ page }) => {
  await api("POST", "/environments", { name: "empty" });
  await open(page, "routes");
  await page.getByRole("combobox", { name: "Environment" }).click();
  await page.getByRole("option", { name: "empty" }).click();
  await expect(page.getByRole("heading", { name: "No routes yet" })).toBeVisible();
  expect(page.url()).toContain("/environments/empty/routes");
  await accessible(page, "an empty environment");
  await page.getByRole("link", { name: "Policies" }).click();
  await expect(page.getByRole("heading", { name: "No policies yet" })).toBeVisible();
  await page.getByRole("link", { name: "API keys" }).click();
  await expect(page.getByRole("heading", { name: "No keys yet" })).toBeVisible();
});

test("what can't be had says why, with its code and the request's id", async ({ page }) => {
  await open(page, "policies/not-there");
  await expect(page.locator('[data-problem="not_found"]')).toContainText(/request req_/);
  await page.goto(`${consoleURL()}/environments/not-there/routes`);
  await expect(page.locator('[data-problem="not_found"]')).toContainText(/request req_/);
  await page.goto(`${consoleURL()}/nowhere/at/all`);
  await expect(page.getByRole("heading", { name: "There is no such page" })).toBeVisible();
  await page.goto(`${consoleURL()}/environments/${environment}/policies/new/not-a-kind`);
  await expect(page.getByRole("heading", { name: "There is no such page" })).toBeVisible();
});
