// Takes an open page away the moment its session ends, wherever that was done.
"use strict";

let source;

function watch() {
  // A browser keeps few connections to one host: pages that nobody sees give theirs back.
  if (source || document.hidden) return;
  source = new EventSource("/live");
  source.addEventListener("watching", () => {
    document.documentElement.dataset.live = "on";
  });
  source.addEventListener("ended", (event) => leave(event.data));
  source.addEventListener("error", () => {
    // A line that breaks is taken up again by itself; one that was refused is not.
    if (source?.readyState === EventSource.CLOSED) {
      rest();
      setTimeout(watch, 5000);
    }
  });
}

function rest() {
  source?.close();
  source = undefined;
  delete document.documentElement.dataset.live;
}

// Shows that and why this browser is signed out; nothing private stays on the page.
function leave(why) {
  rest();
  document.removeEventListener("visibilitychange", change);
  const said = document.getElementById("ended").content.cloneNode(true);
  said.querySelector("[data-why]").textContent = why;
  for (const old of document.querySelectorAll(".private, .flashes, .count, dialog")) old.remove();
  document.querySelector("main").replaceChildren(said);
  document.title = "Signed out · The Night Fair";
  // Loading the page again stays out here.
  history.replaceState(null, "", "/signed-out");
  document.documentElement.dataset.live = "ended";
  document.querySelector("main h1").focus();
}

function change() {
  if (document.hidden) rest();
  else watch();
}

document.addEventListener("visibilitychange", change);
// What this very page asks for, the answer to it tells.
document.addEventListener("submit", rest);
// What a browser keeps for its back button may be older than a sign-out, `no-store` or not:
// Chromium gives such a page back unless a cookie changes while it is kept. So it is kept blank,
// and asked for anew.
window.addEventListener("pagehide", (event) => {
  rest();
  if (event.persisted) document.documentElement.hidden = true;
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
watch();
