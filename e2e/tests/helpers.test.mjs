// The helpers themselves: the browser starts and reads pages, children start, fail and end.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import test from "node:test";
import { startBrowser } from "../lib/browser.mjs";
import { addressIn, startDemo, startServer } from "../lib/demo.mjs";

const SERVES = `
  const server = require("node:http").createServer((_, answer) => answer.end("hello"));
  server.listen(0, "127.0.0.1", () => {
    console.log("accounts follow");
    console.log("Open http://127.0.0.1:" + server.address().port + "/ in a browser");
  });
`;

test("the address is found in the line that holds it", () => {
  assert.equal(addressIn("  Shop: http://127.0.0.1:40123/ (Ctrl-C ends)"), "http://127.0.0.1:40123");
  assert.equal(addressIn("accounts: ada, grace"), undefined);
});

test("a child is started, answers at its address, and is gone after stop", async () => {
  const server = await startServer(process.execPath, ["-e", SERVES]);
  assert.equal(await (await fetch(server.url)).text(), "hello");
  await server.stop();
  assert.throws(() => process.kill(server.pid, 0), { code: "ESRCH" });
});

test("a child that fails to start is an error with what it said", async () => {
  const fails = "console.error('port taken'); process.exit(3)";
  await assert.rejects(startServer(process.execPath, ["-e", fails]), /ended with 3\nport taken/);
  await assert.rejects(startServer("/no/such/program", []), /did not start: .*ENOENT/);
});

test("without its binary the demo's tests fail and say what to run", async (t) => {
  const { HANDSTAMP_BIN } = process.env;
  t.after(() => {
    if (HANDSTAMP_BIN) process.env.HANDSTAMP_BIN = HANDSTAMP_BIN;
  });
  delete process.env.HANDSTAMP_BIN;
  await assert.rejects(startDemo(t), /cargo xtask test/);
});

test("two browser contexts are two people", async (t) => {
  const server = createServer((request, answer) => {
    answer.setHeader("Set-Cookie", "seen=1; HttpOnly");
    answer.end(request.headers.cookie ? "welcome back" : "welcome");
  });
  t.after(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}/`;
  const browser = await startBrowser(t);
  const [ada, grace] = [await browser.newContext(), await browser.newContext()];
  const page = await ada.newPage();
  const reads = async (page) => {
    await page.goto(url);
    return page.textContent("body");
  };
  assert.equal(await reads(page), "welcome");
  assert.equal(await reads(page), "welcome back");
  assert.equal(await reads(await grace.newPage()), "welcome");
});
