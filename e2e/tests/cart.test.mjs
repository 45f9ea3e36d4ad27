// The cart: a visitor's, then a user's.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser } from "../lib/browser.mjs";
import { startDemo } from "../lib/demo.mjs";
import { addToCart, signIn } from "../lib/shop.mjs";

/** What the cart page shows: product and how many. */
async function lines(page) {
  const counts = await page.locator("[data-line]").evaluateAll((lines) =>
    lines.map((line) => [line.dataset.line, line.querySelector("input[name=count][type=number]").value]),
  );
  return Object.fromEntries(counts);
}

test("N02 a visitor's cart comes along at sign in", async (t) => {
  const demo = await startDemo(t);
  const page = await (await (await startBrowser(t)).newContext()).newPage();
  await addToCart(page, demo.url, "Opening Night");
  await addToCart(page, demo.url, "Lamplighter");
  await addToCart(page, demo.url, "Lamplighter");
  await page.goto(`${demo.url}/cart`);
  await page.getByRole("link", { name: "To the till" }).click();
  await page.getByLabel("Name").fill("mina");
  await page.getByLabel("Password").fill("paper-lantern");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "The till" }).waitFor();
  await page.goto(`${demo.url}/cart`);
  assert.deepEqual(await lines(page), { "night-fair": "1", "moth-pin": "2" });
  assert.equal(await page.locator("[data-total]").textContent(), "€36.00");
});

test("N02 nothing of one user's cart goes to the next", async (t) => {
  const demo = await startDemo(t);
  const page = await (await (await startBrowser(t)).newContext()).newPage();
  await signIn(page, demo.url, "mina");
  await addToCart(page, demo.url, "Walking Lantern");
  await page.getByRole("button", { name: "Sign out" }).click();
  await signIn(page, demo.url, "jonas", { returnTo: "/cart" });
  await page.getByText("Nothing in it yet.").waitFor();
});

test("N02 lines are changed and removed", async (t) => {
  const demo = await startDemo(t);
  const page = await (await (await startBrowser(t)).newContext()).newPage();
  await addToCart(page, demo.url, "Book of Stubs");
  await addToCart(page, demo.url, "Vermilion");
  await page.goto(`${demo.url}/cart`);
  await page.getByLabel("How many of Vermilion").fill("3");
  await page.getByRole("button", { name: "Change Vermilion" }).click();
  await page.getByText("3 × Vermilion in your cart.").waitFor();
  assert.deepEqual(await lines(page), { "stub-book": "1", "ink-pad": "3" });
  await page.getByRole("button", { name: "Remove Book of Stubs" }).click();
  await page.getByText("Book of Stubs is out of your cart.").waitFor();
  assert.deepEqual(await lines(page), { "ink-pad": "3" });
});

test("N04 two tabs that add at once both count", async (t) => {
  const demo = await startDemo(t);
  const context = await (await startBrowser(t)).newContext();
  const tabs = await Promise.all([1, 2, 3, 4].map(() => context.newPage()));
  await addToCart(tabs[0], demo.url, "Lamplighter");
  for (const tab of tabs) await tab.goto(demo.url);
  // Which tab shows whose message is open: a message belongs to the session and is shown once.
  const add = async (tab) => {
    const answered = tab.waitForResponse((response) => response.request().method() === "POST");
    await tab.getByRole("button", { name: "Add Lamplighter to cart" }).click();
    assert.equal((await answered).status(), 303);
    await tab.waitForLoadState();
  };
  await Promise.all(tabs.map(add));
  await tabs[0].goto(`${demo.url}/cart`);
  assert.deepEqual(await lines(tabs[0]), { "moth-pin": "5" });
});

test("N06 an order needs a fresh sign in and keeps the cart while it asks", async (t) => {
  const demo = await startDemo(t, ["--fresh", "3"]);
  const page = await (await (await startBrowser(t)).newContext()).newPage();
  await addToCart(page, demo.url, "The Gate Stamp");
  await signIn(page, demo.url, "mina");
  await page.goto(`${demo.url}/checkout`);
  await page.getByRole("heading", { name: "The till" }).waitFor();

  const grownOld = async () => {
    await page.goto(`${demo.url}/checkout`);
    return new URL(page.url()).pathname === "/confirm";
  };
  const deadline = Date.now() + 20_000;
  while (!(await grownOld())) assert.ok(Date.now() < deadline, "the sign-in never grew old");

  await page.getByLabel("Password").fill("not it");
  await page.getByRole("button", { name: "It is me" }).click();
  await page.getByRole("alert").getByText("That is not the password.").waitFor();
  await page.getByLabel("Password").fill("paper-lantern");
  await page.getByRole("button", { name: "It is me" }).click();
  await page.getByRole("heading", { name: "The till" }).waitFor();
  await page.getByText("Thank you, it is you.").waitFor();
  await page.goto(`${demo.url}/cart`);
  assert.deepEqual(await lines(page), { "gate-stamp": "1" });
});

test("N07 an order is placed once however often it is sent", async (t) => {
  const demo = await startDemo(t);
  const page = await (await (await startBrowser(t)).newContext()).newPage();
  await addToCart(page, demo.url, "Second Row, Left");
  await signIn(page, demo.url, "mina", { returnTo: "/checkout" });
  const button = page.getByRole("button", { name: "Place the order" });
  await button.dblclick();
  await page.getByText("is placed. Nothing was charged").waitFor();
  assert.equal(await page.locator(".orders li").count(), 1);
  await page.goto(`${demo.url}/cart`);
  await page.getByText("Nothing in it yet.").waitFor();
});
