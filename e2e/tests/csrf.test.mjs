// Forms that somebody else made: refused, and nothing happens.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { startBrowser } from "../lib/browser.mjs";
import { startDemo } from "../lib/demo.mjs";
import { pair, postSignIn, send, setCookie, tokenIn, visit } from "../lib/raw.mjs";
import { signIn } from "../lib/shop.mjs";

const REFUSED = "That form was not ours";

/** A site of somebody else: one page with one form that posts to `action`. */
async function startElsewhere(t, action, fields) {
  const inputs = Object.entries(fields).map(
    ([name, value]) => `<input type="hidden" name="${name}" value="${value}">`,
  );
  const form = `<form method="post" action="${action}">${inputs.join("")}<button>Win</button></form>`;
  const server = createServer((_, answer) => {
    answer.setHeader("content-type", "text/html");
    answer.end(form);
  });
  t.after(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server.address().port;
}

test("N07 a form without its token is refused", async (t) => {
  const demo = await startDemo(t);
  const page = await (await (await startBrowser(t)).newContext()).newPage();
  await signIn(page, demo.url, "mina");
  for (const spoil of [(input) => input.remove(), (input) => (input.value = "A".repeat(80))]) {
    await page.goto(demo.url);
    const inputs = page.locator("form[action='/sign-out'] input[name=_csrf]");
    await inputs.evaluate(spoil);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: REFUSED }).waitFor();
  }
  await page.goto(`${demo.url}/account`);
  await page.getByRole("heading", { name: "Mina Okafor" }).waitFor();
});

test("N07 a form on another origin is refused even with the right token", async (t) => {
  const demo = await startDemo(t);
  const page = await (await (await startBrowser(t)).newContext()).newPage();
  await signIn(page, demo.url, "mina");
  const stolen = await page.locator("input[name=_csrf]").first().inputValue();
  const port = await startElsewhere(t, `${demo.url}/sign-out`, { _csrf: stolen });
  // The same host with another port is the same site: the cookie comes along, the form is refused
  // all the same. Another host is another site altogether.
  for (const host of ["127.0.0.1", "localhost"]) {
    await page.goto(`http://${host}:${port}/`);
    await page.getByRole("button", { name: "Win" }).click();
    await page.getByRole("heading", { name: REFUSED }).waitFor();
  }
  await page.goto(`${demo.url}/account`);
  await page.getByRole("heading", { name: "Mina Okafor" }).waitFor();
});

test("N07 nobody is signed in by another site's form", async (t) => {
  const demo = await startDemo(t);
  const page = await (await (await startBrowser(t)).newContext()).newPage();
  const { token } = await visit(demo.url);
  const fields = { _csrf: token, name: "jonas", password: "second-row" };
  const port = await startElsewhere(t, `${demo.url}/sign-in`, fields);
  await page.goto(`http://localhost:${port}/`);
  await page.getByRole("button", { name: "Win" }).click();
  await page.getByRole("heading", { name: REFUSED }).waitFor();
  await page.goto(demo.url);
  await page.getByRole("link", { name: "Sign in" }).waitFor();
});

test("N07 where fetch metadata is absent the origin decides", async (t) => {
  const demo = await startDemo(t);
  const signedIn = async (origin) => (await postSignIn(demo.url, { origin })).status;
  assert.equal(await signedIn(demo.url), 303);
  assert.equal(await signedIn(null), 403, "no evidence at all");
  const others = ["null", "https://evil.example", `${demo.url}0`, "http://localhost"];
  for (const origin of others) assert.equal(await signedIn(origin), 403, origin);

  const { cookie, token } = await visit(demo.url);
  const form = { _csrf: token, name: "mina", password: "paper-lantern" };
  const headers = { cookie, referer: `${demo.url}/sign-in` };
  const referred = await send(`${demo.url}/sign-in`, { method: "POST", headers, form });
  assert.equal(referred.status, 303, "without an origin the referer decides");
});

test("N07 a token of one session is worth nothing in another", async (t) => {
  const demo = await startDemo(t);
  const cookies = [];
  for (const name of ["mina", "jonas"]) {
    cookies.push(pair(setCookie(await postSignIn(demo.url, { name }), "__Host-handstamp")));
  }
  const [mina, jonas] = cookies;
  const token = tokenIn(await send(demo.url, { headers: { cookie: jonas } }));
  const add = (cookie) =>
    send(`${demo.url}/cart/add`, {
      method: "POST",
      headers: { cookie, origin: demo.url },
      form: { _csrf: token, product: "moth-pin" },
    });
  assert.equal((await add(mina)).status, 403);
  assert.equal((await add(jonas)).status, 303);
});

test("another name for this machine does not open the shop", async (t) => {
  const demo = await startDemo(t);
  const headers = { host: "evil.example" };
  assert.equal((await send(demo.url, { headers })).status, 421);
});
