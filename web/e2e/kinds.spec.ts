import type { Page } from "@playwright/test";
import { api, expect, inEnvironment, open, test } from "./console";
import { fillParts, quoted } from "./fill";
import { type Fixture, type Kind, configOf, fixtures, kindFolders, named } from "./fixtures";

// What the contract's own fixtures hold is typed and picked into the form of each kind, saved, and read back from the API; and what
// the API says of the invalid ones is shown at its field. A new kind needs nothing here.

for (const folder of kindFolders()) {
  test.describe(`kind in proto/policy/${folder}`, () => {
    test("what is valid is saved through the form", async ({ page }) => {
      const kind = await kindOf(folder);
      for (const fixture of fixtures(kind.name, "valid")) await test.step(fixture.name, () => saves(page, kind, fixture));
    });

    test("what the API says of the invalid is shown at its field", async ({ page }) => {
      const kind = await kindOf(folder);
      await open(page, `policies/new/${kind.name}`);
      for (const fixture of fixtures(kind.name, "invalid")) await test.step(fixture.name, () => refuses(page, kind, fixture));
    });
  });
}

async function kindOf(folder: string): Promise<Kind> {
  const { body } = await api("GET", "/policy-kinds");
  const kind = (body.data as Kind[]).find((k) => k.name.replaceAll("-", "") === folder);
  expect(kind, `the API lists the kind of proto/policy/${folder}`).toBeDefined();
  return kind as Kind;
}

async function saves(page: Page, kind: Kind, fixture: Fixture): Promise<void> {
  const root = configOf(kind);
  if (root.model.kind !== "object") throw new Error("a configuration is an object");
  const config = await named(root, fixture.config);
  const typed = `typed-${kind.name}-${fixture.name}`;
  const sent = `sent-${kind.name}-${fixture.name}`;

  await open(page, `policies/new/${kind.name}`);
  await page.locator('[data-pointer="/name"] input').fill(typed);
  await fillParts(page, root.model.parts(), config, "/config");
  await page.getByRole("button", { name: "Review and publish" }).click();
  await expect(page.locator('[data-change="create"]')).toContainText(typed);
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  await page.getByLabel("Search policies").fill(typed); // there are more than a page of them
  await expect(page.locator(`[data-policy="${typed}"]`)).toBeVisible();

  const direct = await api("PUT", inEnvironment(`policies/${sent}`), { kind: kind.name, config });
  expect(direct.status, JSON.stringify(direct.body)).toBe(201);
  const read = await api("GET", inEnvironment(`policies/${typed}`));
  expect(read.body).toMatchObject({ kind: kind.name, name: typed });
  expect(read.body.config).toEqual(direct.body.config);
  expect(Object.keys(read.body).sort()).toEqual(Object.keys(direct.body).sort()); // no default was stored

  // Opened again it is what it was: nothing is lost or added on the way through the form.
  await page.locator(`[data-policy="${typed}"]`).getByRole("link").click();
  await page.getByRole("button", { name: "Review and publish" }).click();
  await expect(page.getByText("Nothing: everything is as it was.")).toBeVisible();
}

async function refuses(page: Page, kind: Kind, fixture: Fixture): Promise<void> {
  await page.getByText("JSON", { exact: true }).click();
  await page.getByLabel("The policy, as the API has it").fill(JSON.stringify({ kind: kind.name, name: "refused", config: fixture.config }));
  const answered = page.waitForResponse((response) => response.url().includes("/policies?dry_run=true"));
  await page.getByRole("button", { name: "Review and publish" }).click();
  const answer = await answered;
  expect(answer.status(), "the API refuses it").toBe(400);
  const said = ((await answer.json()) as { errors: { pointer: string; code: string }[] }).errors;
  await page.getByText("Form", { exact: true }).click();

  expect(fixture.wrong.length).toBeGreaterThan(0);
  for (const { pointer, code } of fixture.wrong) {
    expect(said, "what the contract's own test expects").toContainEqual(expect.objectContaining({ pointer: `/config${pointer}`, code }));
  }
  for (const { pointer, code } of said) {
    const error = page.locator(`[data-error="${quoted(pointer)}"][data-code="${code}"]`).first();
    await expect(error, `${pointer} ${code} is shown`).toBeVisible();
    const field = page.locator(`[data-pointer="${quoted(pointer)}"]`);
    if ((await field.count()) > 0) await expect(field.first().locator(`[data-errors="${quoted(pointer)}"] [data-code="${code}"]`).first()).toBeVisible();
  }
}
