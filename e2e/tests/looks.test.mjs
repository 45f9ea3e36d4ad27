// What the demo looks like: every page, wide and narrow, light and dark. Pictures go to `shots/`,
// to be looked at; the test holds what a machine can see.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { startBrowser } from "../lib/browser.mjs";
import { startDemo } from "../lib/demo.mjs";
import { addToCart, signIn } from "../lib/shop.mjs";

const SHOTS = fileURLToPath(new URL("../shots/", import.meta.url));
const WIDTHS = { wide: 1280, narrow: 390 };
const SCHEMES = ["light", "dark"];

/** Looks at the page in every width and scheme. */
async function look(page, name) {
  for (const [word, width] of Object.entries(WIDTHS)) {
    for (const colorScheme of SCHEMES) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.screenshot({ path: `${SHOTS}${name}-${word}-${colorScheme}.png`, fullPage: true });
      const beyond = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert.ok(beyond <= 0, `${name} is ${beyond}px too wide at ${width}px`);
    }
  }
  assert.deepEqual(await unnamed(page), [], `${name} has controls that nothing names`);
}

/** Fields and buttons that a screen reader could not name. */
function unnamed(page) {
  return page.evaluate(() => {
    const controls = document.querySelectorAll("input:not([type=hidden]), button, a, select");
    const name = (one) =>
      one.textContent.trim() || one.labels?.[0]?.textContent.trim() || one.ariaLabel || "";
    return [...controls].filter((one) => !name(one)).map((one) => one.outerHTML);
  });
}

test("every page fits wide and narrow, and breaks no rule of its own policy", async (t) => {
  await mkdir(SHOTS, { recursive: true });
  const demo = await startDemo(t);
  const browser = await startBrowser(t);
  const page = await (await browser.newContext()).newPage();
  const complaints = [];
  page.on("console", (said) => said.type() === "error" && complaints.push(said.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));

  await page.goto(demo.url);
  await look(page, "shop");
  await page.goto(`${demo.url}/cart`);
  await look(page, "cart-empty");
  await addToCart(page, demo.url, "Opening Night");
  await addToCart(page, demo.url, "Lamplighter");
  await look(page, "shop-added");
  await page.goto(`${demo.url}/cart`);
  await look(page, "cart");
  await page.getByRole("link", { name: "To the till" }).click();
  await look(page, "sign-in");
  await signIn(page, demo.url, "mina", { returnTo: "/checkout" });
  await look(page, "till");
  await page.getByRole("button", { name: "Place the order" }).click();
  await look(page, "account");
  await page.goto(`${demo.url}/confirm`);
  await look(page, "confirm");

  for (const name of ["phone", "laptop"]) {
    const other = await (await browser.newContext()).newPage();
    await signIn(other, demo.url, "mina", { remember: name === "phone" });
    if (name === "laptop") await other.getByRole("button", { name: "Sign out" }).click();
  }
  await page.goto(`${demo.url}/devices`);
  await look(page, "devices");
  await page.getByRole("button", { name: "Sign out", exact: true }).first().click();
  await look(page, "signed-out");

  await signIn(page, demo.url, "rosa", { returnTo: "/stock" });
  await look(page, "stock");
  assert.deepEqual(complaints, []);

  await page.goto(`${demo.url}/no-such-page`);
  await look(page, "not-found");
});
