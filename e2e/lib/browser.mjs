// Headless Chromium with a fresh profile, ended with the test that started it.
import { chromium } from "playwright-core";

const QUIET = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * Starts Chromium and answers playwright's `Browser`; each `newContext()` is a person of its own.
 * `t` is the context of a node test (or anything with `after(callback)`); `options` are further
 * ones of playwright's `launch`.
 */
export async function startBrowser(t, options = {}) {
  const browser = await chromium.launch({
    ...options,
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: QUIET,
    chromiumSandbox: process.getuid?.() !== 0, // it does not work for root
    timeout: 60_000,
  });
  t.after(() => browser.close());
  return browser;
}
