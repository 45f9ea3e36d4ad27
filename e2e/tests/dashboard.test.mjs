// The dashboard and the holder's own page, as people use them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser } from "../lib/browser.mjs";
import { complaints, look } from "../lib/looks.mjs";
import { AGENTS, isLive, operate, relay, startService } from "../lib/serve.mjs";

const client = (device, ip) => ({ client: { user_agent: AGENTS[device], ip_address: ip } });
const FIREFOX = client("Firefox on Linux", "203.0.113.9");
const CHROME = client("Chrome on Windows", "203.0.113.10");

async function start(t) {
  const [service, browser] = await Promise.all([startService(t), startBrowser(t)]);
  const context = await browser.newContext();
  return { service, browser, context, page: await context.newPage() };
}

test("B16 the printed link signs an operator in once", async (t) => {
  const { service, browser, page } = await start(t);
  const printed = service.printed.find((line) => line.includes("/admin/ui/sign-in#"));
  const link = /http:\S+/.exec(printed)[0];
  await page.goto(link);
  assert.ok(!page.url().includes("#"), "the code leaves the address bar");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();

  const other = await (await browser.newContext()).newPage();
  await other.goto(link);
  await other.getByRole("button", { name: "Sign in" }).click();
  await other.getByRole("alert").filter({ hasText: "not good" }).waitFor();
});

test("B07 an operator filters, looks, ends many and takes it back", async (t) => {
  const { service, page } = await start(t);
  const ada = [await service.begin("ada", FIREFOX), await service.begin("ada", CHROME)];
  const grace = await service.begin("grace", CHROME);
  await operate(page, service);
  await page.getByRole("link", { name: "Sessions", exact: true }).click();
  await page.getByLabel("Subject").fill("ada");
  await page.getByRole("button", { name: "Filter" }).click();
  assert.equal(await page.locator("[data-session]").count(), 2);
  await page.getByRole("link", { name: "End all that match" }).click();
  await page.getByRole("heading", { name: "End 2 sessions?" }).waitFor();
  await page.getByLabel("Why, for the log").fill("a drill");
  await page.getByRole("button", { name: "End 2 sessions" }).click();
  await page.getByRole("heading", { name: "2 sessions set aside" }).waitFor();
  for (const one of ada) assert.equal((await service.status(one.access_token)).is_active, false);
  assert.equal((await service.status(grace.access_token)).is_active, true);

  await page.getByRole("button", { name: "Take it back" }).click();
  await page.getByText("2 sessions taken back.").waitFor();
  for (const one of ada) assert.equal((await service.status(one.access_token)).is_active, true);
});

test("B16 a session that ends vanishes from an open list", async (t) => {
  const { service, page } = await start(t);
  const [ada, grace] = [await service.begin("ada", FIREFOX), await service.begin("grace", CHROME)];
  await operate(page, service);
  await page.goto(`${service.url}/admin/ui/sessions?active=true`);
  await isLive(page);
  await page.locator(`[data-session="${grace.session.id}"] input`).check();
  await service.logout(ada.access_token);
  await page.locator(`[data-session="${ada.session.id}"]`).waitFor({ state: "detached" });
  assert.ok(await page.locator(`[data-session="${grace.session.id}"] input`).isChecked());

  const mina = await service.begin("mina", FIREFOX);
  await page.locator(`[data-session="${mina.session.id}"]`).waitFor();
});

test("B16 an overview that stands open counts", async (t) => {
  const { service, browser, page } = await start(t);
  await operate(page, service);
  await isLive(page);
  assert.equal(await page.locator("[data-chain]").textContent(), "Whole");
  await page.locator("[data-count=live]").filter({ hasText: "1" }).waitFor();
  await service.begin("ada", FIREFOX);
  await page.locator("[data-count=live]").filter({ hasText: "2" }).waitFor();
  await page.locator("#chart-logins canvas").waitFor();

  const other = await (await browser.newContext()).newPage();
  await operate(other, service);
  await other.goto(`${service.url}/admin/ui/subjects/handstamp:operator`);
  await other.getByRole("button", { name: "End all its sessions" }).click();
  await page.getByRole("heading", { name: "Sign in as an operator" }).waitFor();
});

test("F02 a holder names a device, ends another, and sees it end at once", async (t) => {
  const { service, context, page } = await start(t);
  await relay(context, service, await service.begin("ada", { ...FIREFOX, transport: "cookie" }));
  const phone = await service.begin("ada", CHROME);
  await page.goto(`${service.url}/account/sessions`);
  await isLive(page);
  const here = page.locator(".here");
  await here.getByText("this device", { exact: true }).waitFor();
  await here.locator("summary").click();
  await here.getByLabel("Name of this device").fill("Kitchen");
  await here.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "Kitchen" }).waitFor();

  const laptop = await service.begin("ada", CHROME);
  const row = page.locator(`[data-device="${laptop.session.id}"]`);
  await row.waitFor();
  await service.logout(laptop.access_token);
  await row.waitFor({ state: "detached" });

  const other = page.locator(`[data-device="${phone.session.id}"]`);
  await other.getByRole("button", { name: "Sign out Chrome on Windows" }).click();
  await page.getByText("That device is signed out.").waitFor();
  assert.equal((await service.status(phone.access_token)).reason, "revoked");
});

test("B05 a page of a holder who is signed out elsewhere says so", async (t) => {
  const { service, browser, context, page } = await start(t);
  const begun = await service.begin("ada", { ...FIREFOX, transport: "cookie" });
  await relay(context, service, begun);
  await page.goto(`${service.url}/account/sessions`);
  await isLive(page);
  const operator = await (await browser.newContext()).newPage();
  await operate(operator, service);
  await operator.goto(`${service.url}/admin/ui/sessions/${begun.session.id}`);
  await operator.getByRole("button", { name: "End it" }).click();
  await page.getByText("An operator ended this session.").waitFor();
});

test("a page works without its scripts", async (t) => {
  const { service, browser } = await start(t);
  await service.begin("ada", FIREFOX);
  const page = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
  const [address, code] = (await service.link()).split("#");
  await page.goto(address);
  await page.getByLabel("One-time code").fill(code);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("The same as a table").click();
  await page.getByRole("cell", { name: "2", exact: true }).first().waitFor();
  await page.getByText(/\d{4}-\d\d-\d\d \d\d:\d\d UTC/).first().waitFor();
});

test("every page fits, breaks no rule of its policy and can be used by everybody", async (t) => {
  const { service, browser, page } = await start(t);
  const complained = complaints(page);
  await page.goto(await service.link());
  await look(page, "dashboard-sign-in");
  await page.getByRole("button", { name: "Sign in" }).click();
  await look(page, "dashboard-fresh");
  const at = async (path, name) => {
    await page.goto(`${service.url}${path}`);
    await look(page, `dashboard-${name}`);
  };
  const reused = await service.begin("ada", { ...FIREFOX, name: "Ada" });
  for (let count = 0; count < 60; count += 1) {
    const ip = `198.51.100.${count % 9}`;
    const begun = await service.begin(`user-${count % 13}`, count % 2 ? CHROME : FIREFOX);
    if (count % 3 === 0) await service.logout(begun.access_token);
    if (count % 2 === 0) await service.failure(`user-${count % 13}`, ip);
  }
  const { refresh_token: next } = await service.refresh(reused.refresh_token);
  await service.refresh(next);
  await at("/admin?range=week", "overview");
  await at("/admin/ui/sessions", "sessions");
  await at("/admin/ui/sessions?subject=nobody", "sessions-none");
  await at("/admin/ui/sessions/end?subject=user-1", "end");
  await at(`/admin/ui/sessions/${reused.session.id}`, "session");
  await at("/admin/ui/subjects/user-2", "subject");
  await at("/admin/ui/logs", "logs");
  await at("/admin/ui/policy?max_sessions=2", "policy");
  await at("/admin/ui/webhooks", "webhooks");
  await page.getByLabel("Address (https)").fill("https://example.org/hook");
  await page.getByRole("button", { name: "Add webhook" }).click();
  await page.getByText("whsec_").waitFor();
  await look(page, "dashboard-webhook-added");
  await page.getByRole("link", { name: "https://example.org/hook" }).click();
  await page.getByRole("heading", { name: "https://example.org/hook" }).waitFor();
  await look(page, "dashboard-webhook");
  await at("/docs", "docs");

  const holder = await browser.newContext();
  await relay(holder, service, await service.begin("user-1", { ...FIREFOX, transport: "cookie" }));
  const own = await holder.newPage();
  complained.push(...complaints(own));
  await own.goto(`${service.url}/account/sessions`);
  await look(own, "account");
  assert.deepEqual(complained, []);
  await at("/admin/ui/sessions/no-such", "not-found");
});

test("B16 a list of ten thousand sessions is paged, filtered and watched without waiting", async (t) => {
  const { service, page } = await start(t);
  const began = performance.now();
  await many(10_000, (count) =>
    service.begin(`user-${count % 500}`, client(count % 2 ? "Chrome on Windows" : "Firefox on Linux", `198.51.100.${count % 200}`)),
  );
  t.diagnostic(`10,000 sessions began within ${Math.round((performance.now() - began) / 1000)} s`);
  await operate(page, service);
  const took = {};
  const timed = async (name, path) => {
    const began = performance.now();
    await page.goto(`${service.url}${path}`);
    took[name] = Math.round(performance.now() - began);
  };
  await timed("overview", "/admin");
  const live = await page.locator("[data-count=live]").textContent();
  assert.equal(live.replace(/\D/g, ""), "10001");
  // The page does not wait for a log of this length; the next one tells what was found.
  while ((await page.locator("[data-chain]").count()) === 0) {
    await page.getByText("its chain is being checked").waitFor();
    await page.waitForTimeout(500);
    await page.reload();
  }
  assert.equal(await page.locator("[data-chain]").textContent(), "Whole");
  await look(page, "dashboard-10000-overview");
  await timed("list", "/admin/ui/sessions?active=true");
  assert.equal(await page.locator("[data-session]").count(), 50);
  await look(page, "dashboard-10000-sessions");
  const first = await page.locator("[data-session]").first().getAttribute("data-session");
  await page.getByRole("link", { name: "Older" }).click();
  await page.waitForURL((to) => to.searchParams.has("cursor"));
  assert.equal(await page.locator("[data-session]").count(), 50);
  assert.notEqual(await page.locator("[data-session]").first().getAttribute("data-session"), first);
  await timed("by subject", "/admin/ui/sessions?subject=user-77");
  assert.equal(await page.locator("[data-session]").count(), 20);
  await timed("by address", "/admin/ui/sessions?ip=198.51.100.150&active=true");
  assert.equal(await page.locator("[data-session]").count(), 50);
  await timed("log", "/admin/ui/logs");
  t.diagnostic(`milliseconds to a page: ${JSON.stringify(took)}`);
  for (const [name, milliseconds] of Object.entries(took)) {
    assert.ok(milliseconds < 5_000, `${name} took ${milliseconds} ms`);
  }

  await page.goto(`${service.url}/admin/ui/sessions?active=true`);
  await isLive(page);
  const last = await service.begin("last", CHROME);
  const row = page.locator(`[data-session="${last.session.id}"]`);
  await row.waitFor();
  await service.logout(last.access_token);
  await row.waitFor({ state: "detached" });
});

/** Does so many things, some at a time. */
async function many(count, act) {
  let next = 0;
  const worker = async () => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: 64 }, worker));
}
