import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const startTimeout = 120_000;

/** The local stack, on free ports, in a folder of its own: what `make run` starts. Tests find it by their environment. */
export default async function start(): Promise<() => Promise<void>> {
  const program = resolve(process.env.SALLYPORT_BIN ?? join(import.meta.dirname, "../../bin"), "sallyport-local");
  if (!existsSync(program)) throw new Error(`${program} isn't there: run make build`);
  const dir = mkdtempSync(join(tmpdir(), "sallyport-web-"));
  const ports = ["ADMIN", "CONSOLE", "EDGE_API", "BUS", "DEMO", "EDGE", "EDGE_ADMIN", "POSTGRES"].map((name) => [`SALLYPORT_PORT_${name}`, "0"]);
  const { DATABASE_URL: _, NATS_URL: __, ...inherited } = process.env;
  const stack = spawn(program, {
    env: { ...inherited, ...Object.fromEntries(ports), SALLYPORT_DIR: dir, SALLYPORT_EDGES: "2", SALLYPORT_OUTBOUND_ALLOW: "127.0.0.0/8" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  const ended = new Promise<void>((done) => stack.once("close", () => done()));
  const stop = async () => {
    stack.kill("SIGINT");
    await ended;
    const databases = [...said.matchAll(/^ {2}Database +(.+)$/gm)].map((match) => match[1] ?? "");
    for (const folder of [dir, ...databases]) if (folder !== "") rmSync(folder, { recursive: true, force: true });
  };
  try {
    await new Promise<void>((ready, fail) => {
      const late = setTimeout(() => fail(new Error(`the stack wasn't ready after ${startTimeout / 1000} s:\n${said}`)), startTimeout);
      const listen = (text: Buffer) => {
        said += text.toString();
        if (!said.includes("Ctrl-C stops everything")) return;
        clearTimeout(late);
        ready();
      };
      stack.stdout.on("data", listen);
      stack.stderr.on("data", listen);
      stack.once("close", () => {
        clearTimeout(late);
        fail(new Error(`the stack ended:\n${said}`));
      });
    });
  } catch (error) {
    await stop();
    throw error;
  }
  for (const line of readFileSync(join(dir, "env"), "utf8").split("\n")) {
    const at = line.indexOf("=");
    if (line.startsWith("SALLYPORT_")) process.env[line.slice(0, at)] = line.slice(at + 2, -1);
  }
  return stop;
}
