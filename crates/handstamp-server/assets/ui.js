// What pages do beyond being pages: times in the reader's zone, countries by name, and what stands
// there kept up to date as things happen. Every page is whole without it.
"use strict";

const page = document.documentElement;
/** How far the reader's clock is off the service's, in milliseconds. */
const skew = page.dataset.now ? Date.parse(page.dataset.now) - Date.now() : 0;

const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const ago = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const countries = new Intl.DisplayNames("en", { type: "region", fallback: "code" });
const UNITS = [["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3_600], ["minute", 60]];

/** "3 minutes ago", "in 2 hours". */
function relative(at) {
  const seconds = Math.round((at - Date.now() - skew) / 1000);
  const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  if (unit === "second") return seconds > 0 ? "in a moment" : "just now";
  return ago.format(Math.trunc(seconds / length), unit);
}

function dress(within) {
  for (const time of within.querySelectorAll("time")) {
    const at = Date.parse(time.dateTime);
    const exact = full.format(at);
    const text = "exact" in time.dataset ? exact : relative(at);
    if (time.textContent !== text) time.textContent = text;
    time.title = exact;
  }
  for (const place of within.querySelectorAll("[data-country]")) {
    try {
      place.textContent = countries.of(place.dataset.country);
    } catch {
      // Not the code of a country: it stays as it is.
    }
  }
}

/** The one-time code stands behind the `#` of its link, which no browser sends and no log keeps. */
function takeCode() {
  const field = document.querySelector("[data-code]");
  if (!field || location.hash.length < 2) return;
  field.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  field.closest("label").hidden = true;
}

/** One box that ticks all others of its form. */
function tickAll(event) {
  if (!event.target.matches("[data-all]")) return;
  for (const box of event.target.form.querySelectorAll("input[name=ids]")) {
    box.checked = event.target.checked;
  }
}

/** Asks for the page again and puts what is new in the place of what is marked as live. */
async function renew() {
  const answer = await fetch(location.href, { headers: { "Handstamp-Live": "1" } });
  if (!answer.ok || answer.redirected) return location.reload();
  const text = await answer.text();
  const fresh = new DOMParser().parseFromString(text, "text/html");
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (now && !isInUse(old)) replace(old, document.adoptNode(now));
  }
  document.dispatchEvent(new Event("renewed"));
}

/** Somebody is typing or choosing there. */
function isInUse(part) {
  return part.contains(document.activeElement) && document.activeElement.matches("input:not([type=checkbox]), select, textarea");
}

function replace(old, now) {
  const keys = new Set([...old.querySelectorAll("[data-key]")].map((one) => one.dataset.key));
  const ticked = new Set([...old.querySelectorAll("input:checked")].map((box) => box.value));
  const open = new Set([...old.querySelectorAll("details[open]")].map((one) => one.id));
  const focus = old.contains(document.activeElement) ? handle(document.activeElement) : undefined;
  dress(now);
  for (const one of now.querySelectorAll("[data-key]")) one.classList.toggle("new", !keys.has(one.dataset.key));
  for (const box of now.querySelectorAll("input[type=checkbox]")) box.checked = ticked.has(box.value);
  for (const one of now.querySelectorAll("details")) one.open = open.has(one.id);
  old.replaceWith(now);
  if (focus) [...now.querySelectorAll("a, button, input")].find((one) => handle(one) === focus)?.focus();
}

/** What a control is known by from one rendering to the next. */
function handle(control) {
  return control.getAttribute("href") ?? `${control.name ?? ""} ${control.value || control.textContent.trim()}`;
}

let pending;
/** Renews the page soon: however much happens, once in two seconds at most. */
function soon() {
  pending ??= setTimeout(async () => {
    try {
      if (!document.hidden) await renew();
    } finally {
      pending = undefined;
    }
  }, page.dataset.live === "on" ? 300 : 0);
}

let line;
/** Follows the stream of events. One that breaks is taken up again; one that is refused means that
 *  nobody is signed in here any more, which the page itself says best. */
async function follow(stream) {
  if (line || document.hidden) return;
  line = new AbortController();
  const { signal } = line;
  try {
    const answer = await fetch(stream, { headers: { Accept: "text/event-stream" }, signal });
    if (answer.status === 401 || answer.status === 403) return location.reload();
    if (!answer.ok) throw new Error("the stream is not there");
    page.dataset.live = "on";
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (/^data:/m.test(part.value)) soon();
    }
  } catch {
    // Taken up again below.
  }
  if (signal.aborted) return;
  rest();
  setTimeout(() => {
    follow(stream);
    soon();
  }, 2000);
}

function rest() {
  line?.abort();
  line = undefined;
  if (page.dataset.live) page.dataset.live = "off";
}

takeCode();
dress(document);
setInterval(() => dress(document), 30_000);
document.addEventListener("change", tickAll);
const stream = page.dataset.stream;
if (stream) {
  follow(stream);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return rest();
    follow(stream);
    soon();
  });
  window.addEventListener("pagehide", (event) => {
    rest();
    // What a browser keeps for its back button may be older than a sign-out.
    if (event.persisted) page.hidden = true;
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
}
