// What a person does in the demo shop.

/** The demo's accounts, as it prints them. */
export const PASSWORDS = {
  mina: "paper-lantern",
  jonas: "second-row",
  rosa: "smoke-and-orchard",
};

/** Signs in by the form of the sign-in page, wherever that leads. */
export async function signIn(page, url, name, { remember = false, returnTo = "/" } = {}) {
  await page.goto(`${url}/sign-in?return_to=${encodeURIComponent(returnTo)}`);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(PASSWORDS[name]);
  if (remember) await page.getByLabel("Remember me").check();
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL((to) => to.pathname !== "/sign-in");
}

/** Puts one of a product into the cart, from the shelf. */
export async function addToCart(page, url, product) {
  await page.goto(url);
  await page.getByRole("button", { name: `Add ${product} to cart` }).click();
  await page.getByText(`${product} is in your cart.`).waitFor();
}

/** The flash messages that the page shows. */
export function flashes(page) {
  return page.locator(".flashes .flash").allTextContents();
}

/** Resolves when the page has its line open on which it is told that its session ended. */
export async function isWatching(page) {
  await page.locator("html[data-live=on]").waitFor({ state: "attached" });
}

/** The session cookie as the browser keeps it, or undefined. */
export async function sessionCookie(context) {
  // Without an address: playwright takes a `Secure` cookie for one that http://127.0.0.1 never
  // gets, which Chromium sees otherwise.
  const cookies = await context.cookies();
  return cookies.find((cookie) => cookie.name === "__Host-handstamp");
}
