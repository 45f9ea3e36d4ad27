// Requests as no browser makes them: exactly these headers and no others.
import { request } from "node:http";
import { PASSWORDS } from "./shop.mjs";

/** Sends one request; answers status, headers (as node has them) and text. */
export function send(url, { method = "GET", headers = {}, form } = {}) {
  const body = form === undefined ? undefined : new URLSearchParams(form).toString();
  const type = body === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" };
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers: { ...type, ...headers } }, async (answer) => {
      const chunks = [];
      for await (const chunk of answer) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      resolve({ status: answer.statusCode, headers: answer.headers, text });
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

/** The `Set-Cookie` line of this name, or undefined. */
export function setCookie(answer, name) {
  return answer.headers["set-cookie"]?.find((line) => line.startsWith(`${name}=`));
}

/** `name=value` of a `Set-Cookie` line, as a browser sends it back. */
export const pair = (line) => line.split(";")[0];

/** The CSRF token that a page carries. */
export function tokenIn(answer) {
  return /name="_csrf" value="([^"]+)"/.exec(answer.text)[1];
}

/** The sign-in page as a visitor gets it: cookie to send back, token for the form. */
export async function visit(url) {
  const page = await send(`${url}/sign-in`);
  return { cookie: pair(setCookie(page, "__Host-handstamp-pre")), token: tokenIn(page) };
}

/** Posts the sign-in form, by default as the shop's own page would; `origin: null` sends none. */
export async function postSignIn(url, { name = "mina", origin = url, ...fields } = {}) {
  const { cookie, token } = await visit(url);
  const form = { _csrf: token, name, password: PASSWORDS[name], ...fields };
  const headers = { cookie, ...(origin && { origin }) };
  return send(`${url}/sign-in`, { method: "POST", headers, form });
}
