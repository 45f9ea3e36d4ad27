// The program itself: what it prints, how it stops, and the one line it says when it cannot start.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { places, startDemo } from "../lib/demo.mjs";
import { pair, postSignIn, setCookie } from "../lib/raw.mjs";
import { PASSWORDS } from "../lib/shop.mjs";

const PROGRAM = process.env.HANDSTAMP_BIN;

/** Runs the program, which is to fail; answers its exit code and the one line on stderr. */
function fails(args) {
  const ran = spawnSync(PROGRAM, args, { encoding: "utf8", timeout: 30_000 });
  const lines = ran.stderr.split("\n").filter(Boolean);
  assert.equal(lines.length, 1, ran.stderr);
  assert.equal(ran.stdout, "");
  return [ran.status, lines[0]];
}

async function folderFor(t) {
  const folder = await mkdtemp(join(tmpdir(), "handstamp-e2e-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("the demo says where it is, who can sign in, where its data lies and how to stop", async (t) => {
  const demo = await startDemo(t);
  const said = demo.printed.join("\n");
  for (const [name, password] of Object.entries(PASSWORDS)) {
    assert.match(said, new RegExp(`${name} +password ${password}`));
  }
  assert.ok(said.includes(join(demo.folder, "data", "sessions.db")), said);
  assert.match(said, /Stop +Ctrl-C/);
});

test("data and keys are for their owner only", async (t) => {
  const demo = await startDemo(t);
  const mode = async (...path) => ((await stat(join(demo.folder, ...path))).mode & 0o777).toString(8);
  assert.equal(await mode("data"), "700");
  assert.equal(await mode("data", "sessions.db"), "600");
  assert.equal(await mode("keys", "demo.keys"), "600");
});

test("Ctrl-C stops the shop with code 0, also while pages stand open", async (t) => {
  const folder = await folderFor(t);
  for (const signal of ["SIGINT", "SIGTERM"]) {
    const child = spawn(PROGRAM, ["demo", "--port", "0", ...places(folder)]);
    const [printed] = await once(child.stdout, "data");
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(printed.toString())[0];
    const cookie = pair(setCookie(await postSignIn(url), "__Host-handstamp"));
    const [live] = await once(get(`${url}/live`, { headers: { cookie } }), "response");
    await once(live, "data");
    live.resume();
    const asked = Date.now();
    child.kill(signal);
    const [code] = await once(child, "exit");
    assert.equal(code, 0, signal);
    assert.ok(Date.now() - asked < 3_000, `${signal} took ${Date.now() - asked} ms`);
  }
});

test("a port that is taken is said in one line", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address();
  const [code, line] = fails(["demo", "--port", String(port), ...places(await folderFor(t))]);
  assert.equal(code, 1);
  assert.match(line, new RegExp(`port ${port} of 127.0.0.1 is taken; .*--port 0`));
});

test("a folder that cannot be written is said in one line", async (t) => {
  const folder = await folderFor(t);
  await writeFile(join(folder, "file"), "");
  const keys = ["--keys", join(folder, "keys")];
  // Not even root makes a folder in a file, or a file in /proc.
  for (const data of [join(folder, "file", "data"), "/proc"]) {
    const [code, line] = fails(["demo", "--port", "0", "--data-dir", data, ...keys]);
    assert.equal(code, 1);
    assert.ok(line.includes(data) && line.includes("--data-dir"), line);
  }
});

test("a database that another demo uses is said in one line", async (t) => {
  const demo = await startDemo(t);
  const [code, line] = fails(["demo", "--port", "0", ...places(demo.folder)]);
  assert.equal(code, 1);
  assert.match(line, /in use by another demo; stop that one/);
});

test("a database of a newer version is said in one line and left as it is", async (t) => {
  const demo = await startDemo(t);
  await demo.stop();
  const path = join(demo.folder, "data", "sessions.db");
  const file = await open(path, "r+");
  // `user_version` is the 32-bit number at byte 60 of an SQLite file.
  await file.write(Buffer.from([0, 0, 3, 0xe7]), 0, 4, 60);
  await file.close();
  const before = await readFile(path);
  const [code, line] = fails(["demo", "--port", "0", ...places(demo.folder)]);
  assert.equal(code, 1);
  assert.match(line, /written by a newer Handstamp \(schema 999, this one knows \d+\)/);
  assert.deepEqual(await readFile(path), before);
});

test("a key ring that others can read is said in one line", async (t) => {
  const demo = await startDemo(t);
  await demo.stop();
  await chmod(join(demo.folder, "keys", "demo.keys"), 0o644);
  const [code, line] = fails(["demo", "--port", "0", ...places(demo.folder)]);
  assert.equal(code, 1);
  assert.match(line, /mode 644\); run: chmod 600 /);
});

test("a command line that cannot be understood is answered in one line", () => {
  for (const [args, said] of [
    [["demo", "--prot", "1"], /unexpected argument '--prot' found; did you mean --port\?/],
    [["demo", "--bogus"], /unexpected argument '--bogus' found; see handstamp demo --help/],
    [["demo", "--port", "70000"], /invalid value '70000'/],
    [["dmeo"], /did you mean demo\?/],
    [[], /say what to do: .*demo.*; see handstamp --help/],
  ]) {
    const [code, line] = fails(args);
    assert.equal(code, 2, line);
    assert.match(line, said);
  }
});

test("help tells the exit codes", () => {
  for (const args of [["--help"], ["demo", "--help"]]) {
    const ran = spawnSync(PROGRAM, args, { encoding: "utf8" });
    assert.equal(ran.status, 0);
    assert.match(ran.stdout, /Exit codes:\n +0 .*\n +1 .*\n +2 /);
  }
});
