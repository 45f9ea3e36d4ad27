// Signing in and out, and what is left of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser } from "../lib/browser.mjs";
import { places, startDemo, startServer } from "../lib/demo.mjs";
import { look } from "../lib/looks.mjs";
import { pair, postSignIn, send, setCookie } from "../lib/raw.mjs";
import { flashes, sessionCookie, signIn } from "../lib/shop.mjs";

const DAY_S = 24 * 60 * 60;

test("N06 sign in leads back to the page that asked for it", async (t) => {
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

test("N06 a wrong name and a wrong password get the same answer", async (t) => {
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

test("N05 a flash is shown once", async (t) => {
  const demo = await startDemo(t);
  const page = await (await (await startBrowser(t)).newContext()).newPage();
  await signIn(page, demo.url, "mina");
  assert.deepEqual(await flashes(page), ["Welcome, Mina Okafor."]);
  await page.reload();
  assert.deepEqual(await flashes(page), []);
  await page.goto(`${demo.url}/cart`);
  assert.deepEqual(await flashes(page), []);
});

test("N09 the cookie is a host cookie that goes with the browser", async (t) => {
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

test("N09 a remembered cookie outlives the browser as long as its session lives", async (t) => {
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

test("N06 nothing private is left after sign out not even behind the back button", async (t) => {
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

test("N06 a page kept for the back button is blank until it is asked for anew", async (t) => {
  const demo = await startDemo(t);
  // Playwright turns the back-forward cache off; people have it on.
  const options = { ignoreDefaultArgs: ["--disable-back-forward-cache"] };
  const page = await (await (await startBrowser(t, options)).newContext()).newPage();
  await page.addInitScript(() => {
    addEventListener("pageshow", (event) => {
      if (event.persisted) console.log("given back, seen:", document.body.checkVisibility());
    });
  });
  await signIn(page, demo.url, "mina", { returnTo: "/account" });
  await page.getByText("mina@nightfair.example").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "You are signed out" }).waitFor();

  const givenBack = page.waitForEvent("console", (said) => said.text().startsWith("given back"));
  await page.evaluate(() => history.back());
  assert.equal((await givenBack).text(), "given back, seen: false");
  await page.getByRole("heading", { name: "Show your ticket" }).waitFor();
});

test("N08 the visitor's cookie is not the user's", async (t) => {
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

test("N03 a page with a session is kept by nobody", async (t) => {
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

test("N06 the shop works without script", async (t) => {
  const demo = await startDemo(t);
  const browser = await startBrowser(t);
  const page = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
  await signIn(page, demo.url, "jonas", { returnTo: "/devices" });
  await page.getByText("this device", { exact: true }).waitFor();
  await page.getByRole("banner").getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "You are signed out" }).waitFor();
});

test("N01 a session outlives the shop that was killed", async (t) => {
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

test("B11 wrong passwords are told to the service and its advice is heeded", async (t) => {
  const demo = await startDemo(t);
  const page = await (await (await startBrowser(t)).newContext()).newPage();
  const tryOnce = async (password) => {
    await page.goto(`${demo.url}/sign-in`);
    await page.getByLabel("Name").fill("jonas");
    await page.getByLabel("Password").fill(password);
    const answered = page.waitForResponse((answer) => answer.request().method() === "POST");
    await page.getByRole("button", { name: "Sign in" }).click();
    return answered;
  };
  // Each wait is twice as long as the one before; one of 4 seconds leaves time to look.
  let [status, seconds] = [422, 0];
  for (let tries = 0; (status === 422 || seconds < 4) && tries < 100; tries += 1) {
    const answer = await tryOnce("not it");
    [status, seconds] = [answer.status(), Number(answer.headers()["retry-after"] ?? 0)];
  }
  assert.equal(status, 429);
  assert.equal((await tryOnce("second-row")).status(), 429, "the right password waits too");
  assert.match(await page.getByRole("alert").textContent(), /^Too many tries\. Wait \d+ /);
  await look(page, "too-many-tries");

  await page.waitForTimeout(seconds * 1000);
  await signIn(page, demo.url, "jonas");
  assert.deepEqual(await flashes(page), ["Welcome, Jonas Lind."]);

  const told = (await demo.operate("audit", "export")).split("\n").map((line) => JSON.parse(line));
  const failures = told.filter((line) => line.action === "login" && !line.success);
  assert.ok(failures.length >= 4, `${failures.length} failures`);
  for (const { subject, error_message } of failures) {
    assert.deepEqual([subject, error_message], ["jonas", "wrong_name_or_password"]);
  }
});
