import { accessible, consoleURL, environment, expect, open, test } from "./console";

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test("every page can be used by everybody", async ({ page }) => {
      await page.goto(consoleURL());
      await expect(page.getByRole("heading", { name: "Sign in to Sallyport" })).toBeVisible();
      await accessible(page, "sign in");
      const pages: [path: string, shown: string][] = [
        ["routes", "[data-route] [data-policy]"],
        ["policies", "tr[data-policy]"],
        ["policies/new", "[data-kind]"],
        ["policies/new/api-key", '[data-pointer="/config"]'],
        ["policies/orders-limit", '[data-pointer="/config/windows/0/requests"]'],
        ["policies/not-there", "[data-problem]"],
        ["keys", "[data-key-name]"],
        ["requests", "h1"],
        ["findings", "[data-coverage]"],
        ["explain", "form"],
      ];
      for (const [path, shown] of pages) {
        await open(page, path);
        await expect(page.locator(shown).first()).toBeVisible();
        await accessible(page, path);
      }
      await page.goto(`${consoleURL()}/environments/${environment}/policies/orders-limit`);
      await page.locator('[data-pointer="/config/windows/0/requests"] input').fill("0");
      await page.getByRole("button", { name: "Review and publish" }).click();
      await expect(page.locator('[data-errors="/config/windows/0/requests"]')).toBeVisible();
      await accessible(page, "a refused policy");
      await page.locator('[data-pointer="/config/windows/0/requests"] input').fill("6");
      await page.getByRole("button", { name: "Review and publish" }).click();
      await expect(page.locator("[data-change]")).toBeVisible();
      await accessible(page, "a plan");
    });
  });
}

test.describe("what breaks the policy", () => {
  test.use({ tolerated: /Content Security Policy|TrustedHTML|breach of the policy/i });
  test("is let in neither as markup nor as style", async ({ page }) => {
  await open(page, "routes");
  await expect(page.locator("[data-route]").first()).toBeVisible();
  const tried = await page.evaluate(async () => {
    const refused = (attempt: () => void) => {
      try {
        attempt();
        return false;
      } catch {
        return true;
      }
    };
    const style = document.createElement("style");
    style.textContent = "body { outline: 1px solid red }";
    document.head.append(style);
    return {
      markup: refused(() => { document.createElement("div").innerHTML = "<img src=x onerror=alert(1)>"; }),
      policy: refused(() => { (window as any).trustedTypes.createPolicy("another", {}); }),
      style: getComputedStyle(document.body).outlineStyle === "none",
    };
  });
  expect(tried).toEqual({ markup: true, policy: true, style: true });
  });
});

test("everything can be reached by the keyboard", async ({ page }) => {
  await open(page, "policies/new/rate-limit");
  const add = page.locator('[data-add="/config/by"]');
  await add.focus();
  await page.keyboard.press("Enter");
  const group = page.locator('[data-oneof="/config/by/0#property"]').getByRole("radiogroup");
  await expect(group).toBeVisible();
  await group.getByRole("radio").first().focus();
  await page.keyboard.press("ArrowRight");
  await expect(group.getByRole("radio", { name: "Credential" })).toBeChecked();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: "Remove property 1" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(group).toBeHidden();
});
