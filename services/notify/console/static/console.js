// Keeps a page fresh: fetches the list again when something changed, and says when it cannot.
"use strict";

const SILENCE_MS = 10000; // the server beats every 3 s
const RETRY_MS = 2000;

const two = (number) => String(number).padStart(2, "0");

function local(at) {
  const offset = -at.getTimezoneOffset();
  const sign = offset < 0 ? "−" : "+";
  const zone = `${sign}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${date} ${two(at.getHours())}:${two(at.getMinutes())} ${offset === 0 ? "UTC" : zone}`;
}

function ago(at) {
  const minutes = Math.floor((Date.now() - at) / 60000);
  if (minutes < 1) return minutes < 0 ? "in the future" : "just now";
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days) return days < 14 ? `${days} d ${hours % 24} h ago` : `${days} d ago`;
  return hours ? `${hours} h ${minutes % 60} min ago` : `${minutes} min ago`;
}

function showTimes(within) {
  for (const time of within.querySelectorAll("time[data-local]")) {
    const at = new Date(time.dateTime);
    if (!time.title) time.title = time.textContent;
    time.textContent = local(at);
  }
  for (const time of within.querySelectorAll("time[data-ago]")) {
    time.textContent = ago(new Date(time.dateTime));
  }
}

const ids = (list) => new Set([...list.querySelectorAll("[data-alert]")].map((row) => row.dataset.alert));

function announce(list, before) {
  const { open, critical } = list.firstElementChild.dataset;
  const isOpenList = list.dataset.list === "open";
  if (isOpenList) {
    const grave = critical === "0" ? "" : `${critical} critical, `;
    document.title = `${grave}${open} open · rxvigil`;
  }
  const added = [...list.querySelectorAll("[data-alert]")].filter((row) => !before.has(row.dataset.alert));
  for (const row of added) row.classList.add("new");
  if (isOpenList && added.length) {
    const [first] = added;
    const words = `${first.querySelector(".badge").textContent}: ${first.querySelector("h2").textContent}`;
    document.getElementById("announce").textContent =
      added.length === 1 ? `New alert. ${words}` : `${added.length} new alerts. The gravest: ${words}`;
  }
}

async function refreshList(list) {
  const answer = await fetch(list.dataset.fragment);
  if (!answer.ok) throw new Error(answer.status);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const before = ids(list);
  const focused = document.activeElement?.closest("[data-alert]")?.dataset.alert;
  list.replaceChildren(...page.body.children);
  showTimes(list);
  announce(list, before);
  if (focused) list.querySelector(`[data-alert="${CSS.escape(focused)}"] a`)?.focus();
}

let drawn = "";

async function refreshPicture(picture) {
  const answer = await fetch(picture.dataset.fragment);
  if (!answer.ok) throw new Error(answer.status);
  const html = await answer.text();
  // ages change by themselves; a reader's place and selection are kept while nothing else does
  const same = html.replace(/(<time[^>]*data-ago[^>]*>)[^<]*/g, "$1");
  if (same === drawn) return;
  drawn = same;
  const focused = document.activeElement?.getAttribute("href");
  picture.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.children);
  showTimes(picture);
  if (focused) picture.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

async function lookAtAlert(alert) {
  const answer = await fetch(`/api/alerts/${encodeURIComponent(alert.dataset.alert)}`);
  if (!answer.ok) throw new Error(answer.status);
  const found = await answer.json();
  const same = String(found.alert.revision) === alert.dataset.revision && found.status === alert.dataset.list;
  document.getElementById("changed").hidden = same;
}

async function tellIn(link) {
  const answer = await fetch(link.href);
  if (!answer.ok) throw new Error(answer.status);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const told = page.querySelector("section.patient");
  link.closest("section.patient").replaceChildren(...told.childNodes);
  history.replaceState(null, "", link.href);
  document.querySelector(".languages [aria-current]").focus();
}

// another language for the patient comes without a reload, which would lose an answer half typed
document.addEventListener("click", (event) => {
  const link = event.target.closest(".languages a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  tellIn(link).catch(() => location.assign(link.href));
});

const connection = document.getElementById("connection");
const lost = document.getElementById("lost");

function say(state, words, warning) {
  if (connection.dataset.state !== state) {
    connection.dataset.state = state;
    document.getElementById("connection-words").textContent = words;
  }
  if (lost.textContent !== warning) lost.textContent = warning;
  lost.hidden = !warning;
}

let source, heard, shownAt, wanted = false, busy = false;

function sayLost() {
  say("lost", "Connection lost", `Connection lost. What you see is as of ${local(shownAt)}; newer alerts may be missing. Reconnecting.`);
}

async function refresh() {
  wanted = true;
  if (busy) return;
  busy = true;
  while (wanted) {
    wanted = false;
    try {
      const list = document.getElementById("list");
      const alert = document.getElementById("alert");
      const picture = document.getElementById("picture");
      if (list) await refreshList(list);
      if (alert) await lookAtAlert(alert);
      if (picture) await refreshPicture(picture);
      shownAt = new Date();
    } catch {
      sayLost();
      wanted = true;
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
  }
  busy = false;
}

function connect() {
  source?.close();
  heard = Date.now();
  source = new EventSource("/live");
  source.addEventListener("changed", refresh);
  source.addEventListener("beat", (event) => {
    heard = Date.now();
    if (wanted) return; // the page could not be fetched: it is not fresh, though the line is open
    if (event.data) say("stale", "Not receiving", `New alerts are not coming in: waiting for ${event.data}.`);
    else say("live", "Live", "");
    if (document.getElementById("picture")) refresh(); // too many pictures change to be told of each
  });
  source.onerror = sayLost;
}

shownAt = new Date();
showTimes(document);
setInterval(() => showTimes(document), 30000);
if (document.querySelector("#list, #alert, #picture")) {
  connect();
  // an EventSource gives up after some errors and does not notice a line that died in silence
  setInterval(() => {
    if (source.readyState === EventSource.CLOSED || Date.now() - heard > SILENCE_MS) {
      sayLost();
      connect();
    }
  }, RETRY_MS);
} else {
  connection.hidden = true;
}
