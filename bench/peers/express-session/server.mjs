// Express and express-session over Redis, as the guides of express-session and connect-redis put
// them together. PORT and REDIS_URL come from the environment.
import { RedisStore } from "connect-redis";
import express from "express";
import session from "express-session";
import { createClient } from "redis";

const client = createClient({ url: process.env.REDIS_URL });
await client.connect();

const app = express();
app.use(
  session({
    store: new RedisStore({ client }),
    secret: "a secret for measurements only",
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 86_400_000, sameSite: "lax" },
  }),
);

app.get("/ready", (_request, response) => response.send("ok"));

app.post("/sign-in", (request, response, next) => {
  request.session.regenerate((error) => {
    if (error) return next(error);
    Object.assign(request.session, {
      userId: "user-1",
      name: "Ada Lovelace",
      email: "ada@example.com",
      createdAt: new Date().toISOString(),
      ip: request.ip,
      device: "Firefox on Linux",
    });
    response.status(201).json({ ok: true });
  });
});

app.get("/status", (request, response) => {
  const { userId, name, email, createdAt, ip, device, cookie } = request.session;
  if (!userId) return response.status(401).json({ isActive: false });
  response.json({
    isActive: true,
    userId,
    name,
    email,
    createdAt,
    ip,
    device,
    remainingSeconds: Math.floor(cookie.maxAge / 1000),
  });
});

app.listen(Number(process.env.PORT), "127.0.0.1");
