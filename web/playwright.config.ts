import { defineConfig } from "@playwright/test";
import { chromium } from "./e2e/chromium";

// The browser is the system's: none is downloaded. One stack is started for all tests (e2e/stack.ts).
export default defineConfig({
  testDir: "e2e",
  outputDir: "e2e/results",
  globalSetup: "./e2e/stack.ts",
  fullyParallel: true,
  workers: 2,
  timeout: 120_000,
  forbidOnly: true,
  reporter: [["list"]],
  use: {
    locale: "en-GB",
    timezoneId: "Europe/Zurich",
    viewport: { width: 1360, height: 860 },
    contextOptions: { reducedMotion: "reduce" }, // an element that still moves is waited for
    screenshot: "only-on-failure",
    actionTimeout: 15_000,
    launchOptions: {
      executablePath: chromium(),
      args: [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
      ],
    },
  },
});
