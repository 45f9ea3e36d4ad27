// A terminal that is signed in by somebody who sits in front of a browser.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { startBrowser } from "../lib/browser.mjs";
import { startDemo } from "../lib/demo.mjs";
import { signIn } from "../lib/shop.mjs";

/** `handstamp login` in a home of its own: what it says, and how it ends. */
async function startLogin(t, demo) {
  const env = {
    PATH: process.env.PATH,
    HOME: demo.folder,
    HANDSTAMP_HOLDER_DIR: join(demo.folder, "accounts"),
    HANDSTAMP_HOLDER_KEY: "A".repeat(43),
  };
  const run = (args) => spawn(process.env.HANDSTAMP_BIN, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const child = run(["login", "--through", `${demo.url}/terminal`, "--no-browser"]);
  t.after(() => child.kill("SIGKILL"));
  const gone = once(child, "exit");
  let out = "";
  child.stdout.on("data", (text) => (out += text));
  const lines = createInterface({ input: child.stderr })[Symbol.asyncIterator]();
  const last = async () => (await lines.next()).value.split(" ").pop();
  const ended = async () => ({ code: (await gone)[0], out });
  return { address: await last(), word: await last(), ended };
}

test("J02 a terminal is signed in by the browser", async (t) => {
  const demo = await startDemo(t);
  const login = await startLogin(t, demo);
  const page = await (await (await startBrowser(t)).newContext()).newPage();
  const asked = new URL(login.address);
  await signIn(page, demo.url, "mina", { returnTo: asked.pathname + asked.search });
  await page.getByRole("heading", { name: "Sign a terminal in?" }).waitFor();
  assert.equal(await page.locator("[data-word]").textContent(), login.word);
  await page.getByRole("button", { name: "Sign it in" }).click();
  await page.getByText("The terminal is signed in.").waitFor();
  const { code, out } = await login.ended();
  assert.deepEqual([code, out], [0, "signed in as mina (Mina Okafor), account default\n"]);
  await page.goto(`${demo.url}/devices`);
  assert.equal(await page.locator(".devices li").count(), 2);
});

test("J02 a terminal that was refused is not signed in", async (t) => {
  const demo = await startDemo(t);
  const login = await startLogin(t, demo);
  const page = await (await (await startBrowser(t)).newContext()).newPage();
  await signIn(page, demo.url, "mina");
  await page.goto(login.address);
  await page.getByRole("button", { name: "No", exact: true }).click();
  await page.getByText("The terminal is not signed in.").waitFor();
  assert.equal((await login.ended()).code, 4);
});
