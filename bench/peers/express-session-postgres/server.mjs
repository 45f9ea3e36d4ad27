// Express and express-session over PostgreSQL, as the guides of express-session and
// connect-pg-simple put them together. PORT and DATABASE_URL come from the environment.
import connectPgSimple from "connect-pg-simple";
import express from "express";
import session from "express-session";
import pg from "pg";

const PgSession = connectPgSimple(session);

const app = express();
app.use(
  session({
    store: new PgSession({
      pool: new pg.Pool({ connectionString: process.env.DATABASE_URL }),
      createTableIfMissing: true,
    }),
    secret: "a secret for measurements only",
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 86_400_000, sameSite: "lax" },
  }),
);

app.get("/ready", (_request, response) => response.send("ok"));

app.get("/begin/:client", (request, response, next) => {
  request.session.regenerate((error) => {
    if (error) return next(error);
    Object.assign(request.session, {
      userId: `user-${request.params.client}`,
      name: "Ada Lovelace",
      theme: "dark",
      cart: "17,4,2026,9,12",
      visits: 0,
    });
    response.send("ok");
  });
});

app.get("/read", (request, response) => {
  const known = request.session.visits !== undefined;
  response.status(known ? 200 : 401).send(known ? "ok" : "");
});

app.get("/write", (request, response) => {
  if (request.session.visits === undefined) return response.status(401).end();
  request.session.visits += 1;
  response.send("ok");
});

app.listen(Number(process.env.PORT), "127.0.0.1");
