// `handstamp demo` as a child process, on a free port, with a data folder of its own.
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const run = promisify(execFile);

const STARTS_WITHIN_MS = 30_000;
const ENDS_WITHIN_MS = 10_000;

/** The address in a line that the demo printed, or undefined. */
export function addressIn(line) {
  return /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
}

/**
 * Starts a program and waits until it prints its address. Answers the address, what it printed so
 * far, the child's process id, and `stop()`, which ends it (by SIGTERM, then SIGKILL).
 */
export async function startServer(program, args) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const printed = [];
  const gone = new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve(`it ended with ${signal ?? code}`));
    child.once("error", (error) => resolve(error.message));
  });
  const address = new Promise((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        printed.push(line);
        const found = stream === child.stdout && addressIn(line);
        if (found) resolve({ url: found });
      });
    }
  });
  const stop = () => end(child, gone);
  const first = await within(STARTS_WITHIN_MS, Promise.race([address, gone]));
  if (first?.url) return { url: first.url, printed, pid: child.pid, stop };
  await stop();
  const why = first ?? `no address within ${STARTS_WITHIN_MS} ms`;
  throw new Error(`${program} did not start: ${why}\n${printed.join("\n")}`);
}

/**
 * Starts the demo and answers what `startServer` does, and the folder of its data and keys. `t` is the context of
 * a node test (or anything with `after(callback)`): the demo ends with it, and its folder goes.
 */
export async function startDemo(t, moreArgs = []) {
  const program = process.env.HANDSTAMP_BIN;
  if (!program) throw new Error("HANDSTAMP_BIN is not set: run `cargo xtask test`");
  const folder = await mkdtemp(join(tmpdir(), "handstamp-e2e-"));
  let demo;
  t.after(async () => {
    await demo?.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const args = ["demo", "--port", "0", "--service-port", "0", "--no-history", ...places(folder), ...moreArgs];
  demo = await startServer(program, args);
  /** Runs a command of operators on the data of the demo. */
  const operate = async (...words) =>
    (await run(program, [...words, "--data-dir", join(folder, "data")])).stdout.trim();
  return { ...demo, folder, operate };
}

/** Arguments that keep data and keys of a demo in `folder`, out of the user's own. */
export function places(folder) {
  return ["--data-dir", join(folder, "data"), "--keys", join(folder, "keys", "demo.keys")];
}

async function end(child, gone) {
  if (child.exitCode !== null || child.signalCode !== null || !child.pid) return;
  child.kill("SIGTERM");
  if ((await within(ENDS_WITHIN_MS, gone)) === undefined) {
    child.kill("SIGKILL");
    await gone;
  }
}

/** What the promise answers, or undefined after so many milliseconds. */
async function within(milliseconds, promise) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
