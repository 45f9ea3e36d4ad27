// `handstamp serve` as a child process, on a free port, with a data folder of its own; and what an
// application and an operator do with it.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { places, startServer } from "./demo.mjs";

const run = promisify(execFile);

/** Browsers by the words that the service has for them. */
export const AGENTS = {
  "Firefox on Linux": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
  "Chrome on Windows":
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
};

/**
 * Starts the service with a key for an application. `t` is the context of a node test: the service
 * ends with it, and its folder goes.
 */
export async function startService(t, moreArgs = []) {
  const program = process.env.HANDSTAMP_BIN;
  if (!program) throw new Error("HANDSTAMP_BIN is not set: run `cargo xtask test`");
  const folder = await mkdtemp(join(tmpdir(), "handstamp-e2e-"));
  let server;
  t.after(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const args = ["serve", "--listen", "127.0.0.1:0", ...places(folder), ...moreArgs];
  server = await startServer(program, args);
  const { url } = server;
  const data = ["--data-dir", join(folder, "data")];
  const operate = async (...words) => (await run(program, [...words, ...data])).stdout.trim();
  const made = await operate("service-key", "create", "--name", "shop", "--scope", "sessions", "--json");
  const { key } = JSON.parse(made);
  return {
    ...server,
    folder,
    /** A fresh one-time link to the dashboard. */
    link: () => operate("dashboard"),
    /** Begins a session, as the application does after somebody has signed in. */
    begin: (subject, more = {}) => call(url, "/sessions", key, { subject, amr: ["pwd"], ...more }),
    /** Tells of a failed sign-in. */
    failure: (subject, ip) =>
      call(url, "/sessions/failures", key, { subject, reason: "wrong_password", client: { ip_address: ip } }),
    refresh: (token) => call(url, "/sessions/refresh", undefined, { refresh_token: token }),
    status: async (token) =>
      (await fetch(`${url}/sessions/status`, { headers: { authorization: `Bearer ${token}` } })).json(),
    logout: (token) => call(url, "/sessions/logout", token, {}),
  };
}

async function call(url, path, token, body) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  return answer.json();
}

/** Signs an operator in by a fresh link, as they would. */
export async function operate(page, service) {
  await page.goto(await service.link());
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL((to) => to.pathname === "/admin");
}

/** Gives the browser the cookie that the service made for the application to relay. */
export async function relay(context, service, begun) {
  for (const line of begun.set_cookie) {
    const [pair] = line.split(";");
    const at = pair.indexOf("=");
    const cookie = { name: pair.slice(0, at), value: pair.slice(at + 1) };
    const { hostname: domain } = new URL(service.url);
    await context.addCookies([{ ...cookie, domain, path: "/", secure: true, httpOnly: true, sameSite: "Lax" }]);
  }
}

/** Resolves when the page hears of what happens. */
export async function isLive(page) {
  await page.locator("html[data-live=on]").waitFor({ state: "attached" });
}
