// One account on several devices: seen, named, and signed out from one another.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser } from "../lib/browser.mjs";
import { startDemo } from "../lib/demo.mjs";
import { isWatching, sessionCookie, signIn } from "../lib/shop.mjs";

/** Signs `name` in on so many devices; answers a page of each, on the account page. */
async function devices(t, demo, count, name = "mina") {
  const browser = await startBrowser(t);
  const pages = [];
  for (let nth = 0; nth < count; nth += 1) {
    const page = await (await browser.newContext()).newPage();
    await signIn(page, demo.url, name, { returnTo: "/account" });
    await isWatching(page);
    pages.push(page);
  }
  return pages;
}

/** Resolves when the page says, of itself, that it is signed out and why. */
async function isOut(page, why) {
  await page.getByRole("heading", { name: "You are signed out" }).waitFor();
  assert.equal(await page.locator("[data-why]").textContent(), why);
  assert.doesNotMatch(await page.locator("body").innerText(), /nightfair\.example|Okafor|paper/);
}

const FROM_ANOTHER = "You signed this device out from another one.";
const WITH_ALL = "You signed out all other devices from one of them, and this was another.";

test("N06 an open page is signed out the moment another device says so", async (t) => {
  const demo = await startDemo(t);
  const [here, there] = await devices(t, demo, 2);
  await here.goto(`${demo.url}/devices`);
  await here.locator(".devices li:not(.here)").getByRole("button", { name: /Sign out/ }).click();
  const clicked = Date.now();
  await isOut(there, FROM_ANOTHER);
  t.diagnostic(`the page knew ${Date.now() - clicked} ms after the answer to the click`);
  await here.getByText("That device is signed out.").waitFor();
  assert.equal(await here.locator(".devices li").count(), 1);
  await here.locator(".past").getByText("signed out from another device").waitFor();

  await there.reload();
  await isOut(there, FROM_ANOTHER);
  await there.goBack();
  await there.goto(`${demo.url}/account`);
  await there.getByRole("heading", { name: "Show your ticket" }).waitFor();
  await here.goto(`${demo.url}/account`);
  await here.getByRole("heading", { name: "Mina Okafor" }).waitFor();
});

test("N06 all other devices are signed out at once and this one stays", async (t) => {
  const demo = await startDemo(t);
  const [here, ...others] = await devices(t, demo, 3);
  await here.goto(`${demo.url}/devices`);
  await here.getByRole("button", { name: "Sign out all other devices" }).click();
  await Promise.all(others.map((page) => isOut(page, WITH_ALL)));
  await here.getByText("2 other devices are signed out.").waitFor();
  assert.equal(await here.locator(".devices li").count(), 1);
});

test("N06 somebody else's devices stay signed in", async (t) => {
  const demo = await startDemo(t);
  const [mina] = await devices(t, demo, 1);
  const [jonas] = await devices(t, demo, 1, "jonas");
  await mina.goto(`${demo.url}/devices`);
  await jonas.goto(`${demo.url}/devices`);
  const others = await mina.locator(".here").getAttribute("data-device");
  await jonas.locator(".here input[name=id]").evaluate((input, id) => (input.value = id), others);
  await jonas.locator(".here").getByRole("button", { name: "Sign out" }).click();
  await jonas.getByText("That device was signed out already.").waitFor();
  await mina.reload();
  await mina.getByRole("heading", { name: "Your devices" }).waitFor();
});

test("N06 signing out in one tab takes the private content out of the other", async (t) => {
  const demo = await startDemo(t);
  const [tab] = await devices(t, demo, 1);
  const other = await tab.context().newPage();
  await other.goto(demo.url);
  await other.getByRole("button", { name: "Sign out" }).click();
  await isOut(tab, "You signed out in this browser.");
  assert.equal(await sessionCookie(tab.context()), undefined);
});

test("N08 a rotation ends nothing that is open", async (t) => {
  const demo = await startDemo(t);
  const [tab] = await devices(t, demo, 1);
  const before = await sessionCookie(tab.context());
  const other = await tab.context().newPage();
  await other.goto(`${demo.url}/confirm?return_to=/account`);
  await other.getByLabel("Password").fill("paper-lantern");
  await other.getByRole("button", { name: "It is me" }).click();
  await other.getByText("Thank you, it is you.").waitFor();
  assert.notEqual((await sessionCookie(tab.context())).value, before.value);
  assert.equal(await tab.locator("html").getAttribute("data-live"), "on");
  await other.getByRole("button", { name: "Sign out" }).click();
  await isOut(tab, "You signed out in this browser.");
});

test("N06 a device has words and a name that its owner gives", async (t) => {
  const demo = await startDemo(t);
  const [here, there] = await devices(t, demo, 2);
  await here.goto(`${demo.url}/devices`);
  await here.locator(".here").getByText("Chrome on Linux").waitFor();
  await here.getByLabel("Name of this device").fill(`<b>Kitchen</b> & "garden"`);
  await here.getByRole("button", { name: "Save" }).click();
  await here.getByText("This device is named.").waitFor();
  await there.goto(`${demo.url}/devices`);
  await there.getByRole("heading", { name: `<b>Kitchen</b> & "garden"` }).waitFor();
});

test("N11 the stock room opens for clerks only", async (t) => {
  const demo = await startDemo(t);
  const browser = await startBrowser(t);
  const mina = await (await browser.newContext()).newPage();
  await signIn(mina, demo.url, "mina");
  const answer = await mina.goto(`${demo.url}/stock`);
  assert.equal(answer.status(), 403);
  await mina.getByRole("heading", { name: "Staff only" }).waitFor();

  const rosa = await (await browser.newContext()).newPage();
  await rosa.goto(`${demo.url}/stock`);
  await rosa.getByLabel("Name").fill("rosa");
  await rosa.getByLabel("Password").fill("smoke-and-orchard");
  await rosa.getByRole("button", { name: "Sign in" }).click();
  await rosa.getByRole("heading", { name: "Stock room" }).waitFor();
  await rosa.getByRole("button", { name: "Six more of Walking Lantern" }).click();
  await rosa.getByText("Six more of Walking Lantern are on the shelf.").waitFor();
  assert.equal(await rosa.locator("[data-stock=lantern] .left").textContent(), "12");
});
