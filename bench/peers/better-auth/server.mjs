// better-auth on its documented SQLite driver, mounted on Node's own HTTP server. PORT, DATABASE
// (a file) and COOKIE_CACHE (`on` or `off`) come from the environment.
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import Database from "better-sqlite3";

const port = Number(process.env.PORT);
const options = {
  baseURL: `http://127.0.0.1:${port}`,
  secret: "a secret for measurements only, long enough",
  database: new Database(process.env.DATABASE),
  emailAndPassword: { enabled: true },
  session: { cookieCache: { enabled: process.env.COOKIE_CACHE === "on", maxAge: 300 } },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
};
const { runMigrations } = await getMigrations(options);
await runMigrations();

const handler = toNodeHandler(betterAuth(options));
createServer((request, response) => {
  if (request.url === "/ready") return response.end("ok");
  return handler(request, response);
}).listen(port, "127.0.0.1");
