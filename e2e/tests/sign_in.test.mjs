// Signing in and out, and what is left of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser } from "../lib/browser.mjs";
import { places, startDemo, startServer } from "../lib/demo.mjs";
import { pair, postSignIn, send, setCookie } from "../lib/raw.mjs";
import { flashes, sessionCookie, signIn } from "../lib/shop.mjs";

const DAY_S = 24 * 60 * 60;

test("n06_sign_in_leads_back_to_the_page_that_asked_for_it", async (t) => {
  const demo = await startDemo(t);
  const page = await (await (await startBrowser(t)).newContext()).newPage();
  await page.goto(`${demo.url}/account?from=a%26b`);
  assert.equal(new URL(page.url()).pathname, "/sign-in");
  await page.getByLabel("Name").fill("mina");
  await page.getByLabel("Password").fill("paper-lantern");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Mina Okafor" }).waitFor();
  assert.equal(page.url(), `${demo.url}/account?from=a%26b`);
  await page.goto(`${demo.url}/sign-in?return_to=//evil.example`);
  assert.equal(page.url(), `${demo.url}/`);
});

test("n06_a_wrong_name_and_a_wrong_password_get_the_same_answer", async (t) => {
  const demo = await startDemo(t);
  const page = await (await (await startBrowser(t)).newContext()).newPage();
  const answers = [];
  for (const name of ["mina", "nobody"]) {
    await page.goto(`${demo.url}/sign-in`);
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Password").fill("not it");
    const answered = page.waitForResponse((answer) => answer.request().method() === "POST");
    await page.getByRole("button", { name: "Sign in" }).click();
    const status = (await answered).status();
    answers.push([status, await page.getByRole("alert").textContent()]);
    assert.equal(await page.getByLabel("Name").inputValue(), name);
    assert.equal(await page.getByLabel("Password").inputValue(), "");
  }
  assert.deepEqual(answers[0], answers[1]);
  assert.equal(answers[0][0], 422);
  assert.equal(await sessionCookie(page.context()), undefined);
});

test("n05_a_flash_is_shown_once", async (t) => {
  const demo = await startDemo(t);
  const page = await (await (await startBrowser(t)).newContext()).newPage();
  await signIn(page, demo.url, "mina");
  assert.deepEqual(await flashes(page), ["Welcome, Mina Okafor."]);
  await page.reload();
  assert.deepEqual(await flashes(page), []);
  await page.goto(`${demo.url}/cart`);
  assert.deepEqual(await flashes(page), []);
});

test("n09_the_cookie_is_a_host_cookie_that_goes_with_the_browser", async (t) => {
  const demo = await startDemo(t);
  const line = setCookie(await postSignIn(demo.url), "__Host-handstamp");
  assert.match(line, /^__Host-handstamp=[\w-]{75}; Path=\/; HttpOnly; Secure; SameSite=Lax$/);

  const context = await (await startBrowser(t)).newContext();
  const page = await context.newPage();
  await signIn(page, demo.url, "mina");
  const { value, ...cookie } = await sessionCookie(context);
  assert.match(value, /^[\w-]{75}$/);
  assert.deepEqual(cookie, {
    name: "__Host-handstamp",
    domain: "127.0.0.1",
    path: "/",
    expires: -1,
    httpOnly: true,
    secure: true,
    sameSite: "Lax",
  });
  assert.equal(await page.evaluate(() => document.cookie), "");
});

test("n09_a_remembered_cookie_outlives_the_browser_as_long_as_its_session_lives", async (t) => {
  const demo = await startDemo(t);
  const line = setCookie(await postSignIn(demo.url, { remember: "yes" }), "__Host-handstamp");
  const maxAge = Number(/; Max-Age=(\d+)/.exec(line)[1]);
  assert.ok(maxAge > 29 * DAY_S && maxAge <= 30 * DAY_S, line);

  const context = await (await startBrowser(t)).newContext();
  const page = await context.newPage();
  await signIn(page, demo.url, "mina", { remember: true });
  const { expires } = await sessionCookie(context);
  const days = (expires - Date.now() / 1000) / DAY_S;
  assert.ok(days > 29 && days < 30.01, `${days} days`);
});

test("n06_nothing_private_is_left_after_sign_out_not_even_behind_the_back_button", async (t) => {
  const demo = await startDemo(t);
  const context = await (await startBrowser(t)).newContext();
  const page = await context.newPage();
  await signIn(page, demo.url, "mina", { returnTo: "/account" });
  await page.getByText("mina@nightfair.example").waitFor();
  const { value } = await sessionCookie(context);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "You are signed out" }).waitFor();
  assert.equal(await sessionCookie(context), undefined);

  await page.goBack();
  await page.getByRole("heading", { name: "Show your ticket" }).waitFor();
  assert.doesNotMatch(await page.content(), /nightfair\.example|Okafor/);

  const copy = { cookie: `__Host-handstamp=${value}`, accept: "text/html" };
  const again = await send(`${demo.url}/account`, { headers: copy });
  assert.equal(again.status, 303, "a copy of the cookie is worth nothing");
});

test("n08_the_visitors_cookie_is_not_the_users", async (t) => {
  const demo = await startDemo(t);
  const context = await (await startBrowser(t)).newContext();
  const page = await context.newPage();
  await page.goto(demo.url);
  await page.getByRole("button", { name: "Add Lamplighter to cart" }).click();
  await page.getByText("Lamplighter is in your cart.").waitFor();
  const before = await sessionCookie(context);
  await signIn(page, demo.url, "mina");
  const after = await sessionCookie(context);
  assert.notEqual(before.value, after.value);
  const headers = { cookie: pair(`__Host-handstamp=${before.value}`), accept: "text/html" };
  const fixed = await send(`${demo.url}/account`, { headers });
  assert.equal(fixed.status, 303);
});

test("n03_a_page_with_a_session_is_kept_by_nobody", async (t) => {
  const demo = await startDemo(t);
  const signedIn = await postSignIn(demo.url);
  const cookie = pair(setCookie(signedIn, "__Host-handstamp"));
  const account = await send(`${demo.url}/account`, { headers: { cookie } });
  assert.equal(account.status, 200);
  assert.equal(account.headers["cache-control"], "no-store");
  assert.match(account.headers.vary, /cookie/i);
  assert.equal(account.headers["set-cookie"], undefined);
  assert.match(account.headers["content-security-policy"], /^default-src 'none'/);
  const style = await send(`${demo.url}/assets/style.css`, { headers: { cookie } });
  assert.equal(style.headers["cache-control"], "no-cache");
});

test("n06_the_shop_works_without_script", async (t) => {
  const demo = await startDemo(t);
  const browser = await startBrowser(t);
  const page = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
  await signIn(page, demo.url, "jonas", { returnTo: "/devices" });
  await page.getByText("this device", { exact: true }).waitFor();
  await page.getByRole("banner").getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "You are signed out" }).waitFor();
});

test("n01_a_session_outlives_the_shop_that_was_killed", async (t) => {
  const demo = await startDemo(t);
  const cookie = pair(setCookie(await postSignIn(demo.url), "__Host-handstamp"));
  process.kill(demo.pid, "SIGKILL");
  await demo.stop();
  const args = ["demo", "--port", "0", ...places(demo.folder)];
  const next = await startServer(process.env.HANDSTAMP_BIN, args);
  t.after(() => next.stop());
  const account = await send(`${next.url}/account`, { headers: { cookie } });
  assert.match(account.text, /Mina Okafor/);
});
