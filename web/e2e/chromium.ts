import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const places = ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"];

/** chromium finds the system's browser, or says how to get one: the tests never go on without. */
export function chromium(): string {
  const inPath = (process.env.PATH ?? "").split(delimiter).flatMap((dir) => names.map((name) => join(dir, name)));
  const found = [process.env.CHROMIUM ?? "", ...inPath, ...places].find((path) => path !== "" && existsSync(path));
  if (found === undefined) {
    throw new Error("the browser tests need Chromium: apt-get install chromium (Debian), brew install --cask chromium (macOS), or set CHROMIUM to its path");
  }
  return found;
}
