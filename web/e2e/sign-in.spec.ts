import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { accessible, api, consoleURL, expect, test } from "./console";

const password = "correct horse battery staple";
const providerDir = join(import.meta.dirname, "../../tests/harness/provider");

/** A real OpenID provider (make provider), as the stories of the gateway have it. */
async function startProvider(redirect: string): Promise<{ issuer: string; process: ChildProcess }> {
  const port = await new Promise<number>((done, fail) => {
    const server = createServer().once("error", fail).listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(address === null || typeof address === "string" ? 0 : address.port));
    });
  });
  const settings = {
    port,
    clients: [{ client_id: "console", client_secret: "its secret: :&%", grant_types: ["authorization_code"], redirect_uris: [redirect], response_types: ["code"] }],
    accounts: { ada: { name: "Ada Lovelace", email: "ada@sso.test", email_verified: true, groups: ["operators"] }, eve: { email: "eve@elsewhere.test", email_verified: true } },
    resources: {},
  };
  const process_ = spawn("node", ["provider.mjs"], {
    cwd: providerDir, env: { ...process.env, PROVIDER: JSON.stringify(settings), NODE_NO_WARNINGS: "1" }, stdio: ["pipe", "pipe", "inherit"],
  });
  const said = await new Promise<string>((done, fail) => {
    createInterface({ input: process_.stdout }).once("line", done);
    process_.once("exit", () => fail(new Error("the OpenID provider has ended: run make provider")));
  });
  return { issuer: JSON.parse(said).ready, process: process_ };
}

test.describe("who signs in at a provider", () => {
  test.describe.configure({ mode: "serial" }); // one provider for all of them
  let provider: Awaited<ReturnType<typeof startProvider>>;
  test.beforeAll(async () => {
    provider = await startProvider(`${consoleURL()}/api/v1/sign-in/callback`);
    const made = await api("POST", "/sign-in-providers", {
      name: "browser-sso", title: "Corporate", issuer: provider.issuer, client_id: "console", client_secret: "its secret: :&%",
      create_users: true, domains: ["sso.test"], group_claim: "groups", groups: [{ group: "operators", role: "operator" }],
    });
    expect(made.status).toBe(201);
  });
  test.afterAll(async () => {
    await api("DELETE", "/sign-in-providers/browser-sso");
    provider.process.kill();
  });

  test("comes back to where they were, has what their groups give, and is out after signing out", async ({ browser }) => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${consoleURL()}/environments/demo/policies`);
    await page.getByRole("link", { name: "Sign in with Corporate" }).click();
    await page.locator("input[name=login]").fill("ada");
    await page.locator("input[name=password]").fill("any");
    await page.locator("button[type=submit]").click();
    await expect(page.getByRole("heading", { name: "Policies", level: 1 })).toBeVisible();
    expect(page.url()).toBe(`${consoleURL()}/environments/demo/policies`);
    await expect(page.locator('[data-me="ada"]')).toContainText("operator");
    const kept = (await context.cookies(consoleURL())).find((c) => c.name === "sallyport-session");
    expect(kept).toMatchObject({ httpOnly: true, sameSite: "Lax" });
    expect(await page.evaluate(() => document.cookie + JSON.stringify(sessionStorage) + JSON.stringify(localStorage))).not.toContain("sps_");

    // A reload, and another tab, are in too.
    const tab = await context.newPage();
    await tab.goto(consoleURL());
    await expect(tab.locator("[data-route]").first()).toBeVisible();
    await page.getByRole("button", { name: "Sign out" }).click();
    await expect(page.getByRole("heading", { name: "Sign in to Sallyport" })).toBeVisible();
    await tab.reload();
    await expect(tab.getByRole("heading", { name: "Sign in to Sallyport" })).toBeVisible();
    expect((await context.cookies(consoleURL())).filter((c) => c.name === "sallyport-session")).toEqual([]);
    await context.close();
  });

  test("is told when they aren't let in, in our own words alone", async ({ browser }) => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(consoleURL());
    await page.getByRole("link", { name: "Sign in with Corporate" }).click();
    await page.locator("input[name=login]").fill("eve");
    await page.locator("input[name=password]").fill("any");
    await page.locator("button[type=submit]").click();
    await expect(page.locator('[data-problem="sign_in_refused"]')).toBeVisible();
    await page.goto(`${consoleURL()}/?sign-in-problem=call_us_at_0800&detail=Call+us`);
    await expect(page.getByRole("heading", { name: "Sign in to Sallyport" })).toBeVisible();
    await expect(page.getByText("Call us")).toHaveCount(0);
    await context.close();
  });
});

test("who is invited sets a password, and signs in with it", async ({ page }) => {
  await api("POST", "/users", { name: "grace" });
  await api("POST", "/role-bindings", { user: "grace", role: "viewer" });
  const invitation = await api("POST", "/users/grace/invitation");
  await page.goto(consoleURL() + invitation.body.path);
  await expect(page.getByRole("heading", { name: "Set your password" })).toBeVisible();
  await accessible(page, "an invitation");
  expect(page.url()).toBe(`${consoleURL()}/invitation`);
  await page.getByLabel("Password", { exact: true }).fill("too short");
  await page.getByRole("button", { name: "Set password" }).click();
  await expect(page.getByText(/12/).first()).toBeVisible();
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Set password" }).click();
  await page.getByRole("link", { name: "Sign in" }).click();

  await page.getByLabel("User name or e-mail").fill("grace");
  await page.getByLabel("Password", { exact: true }).fill("not that one at all");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(page.locator('[data-problem="sign_in_failed"]')).toBeVisible();
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.keyboard.press("Enter");
  await expect(page.locator('[data-me="grace"]')).toContainText("viewer");
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in to Sallyport" })).toBeVisible();
});
