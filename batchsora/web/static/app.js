// What every page does: keep its parts up to date, say what happened, ask in a dialog, show times in
// the reader's zone. No page needs more than this and htmx.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);

  // --- times -----------------------------------------------------------------------------------
  // as everywhere else here: 2026-11-30 23:30, in the reader's zone, whatever the language
  const two = (number) => String(number).padStart(2, "0");
  const day = (at) => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const clock = (at) => `${two(at.getHours())}:${two(at.getMinutes())}`;
  const localise = (root) => {
    for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const moment = new Date(time.dateTime);
      if (!Number.isNaN(moment.valueOf())) {
        time.title = time.textContent;
        time.textContent = `${day(moment)} ${clock(moment)}`;
      }
      time.dataset.local = "";
    }
  };

  // --- words in the live regions ----------------------------------------------------------------
  const timers = new Map();
  const say = (text, trouble) => {
    const region = byId(trouble ? "trouble" : "said");
    const words = document.createElement("span");
    words.textContent = text;
    region.replaceChildren(words);
    region.classList.add("shown");
    clearTimeout(timers.get(region));
    if (trouble) {  // it stays until a person has read it
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Dismiss";
      button.addEventListener("click", () => hush(region));
      region.append(button);
    } else timers.set(region, setTimeout(hush, 7000, region));
  };
  const hush = (region) => {
    region.classList.remove("shown");
    region.replaceChildren();
  };
  // an answer that is no text of ours, as a page or a proxy's, is never shown: words by its status
  const MEANT = {
    401: "You are not logged in. Nothing was changed: log in again, then repeat it.",
    403: "This was refused, and nothing was changed. Reload the page and try again.",
    404: "This is not there any more. Reload the page.",
    413: "This is larger than the page accepts. Nothing was changed.",
    429: "Too many attempts. Wait a few seconds and try again.",
  };
  const meant = (status, type, text) => {
    const plain = (type ?? "").startsWith("text/plain") && text.trim() && !/<(!doctype|html)/i.test(text);
    if (plain) return text.trim().slice(0, 1000);
    return MEANT[status] ?? (status >= 500
      ? "The server failed at this; runs are not affected. Its log says more. Reload the page to see what was done."
      : "The server refused this.");
  };

  // --- what changes must carry ------------------------------------------------------------------
  // A browser that is inside got it when it came in; else the page says it. No cookie: those go to
  // every port of this host.
  const KEY = "batchsora-key";
  const headers = () => {
    const said = document.body.getAttribute("hx-headers");
    if (said) return JSON.parse(said);
    try { return { "X-CSRF-Token": localStorage.getItem(KEY) ?? "" }; } catch { return {}; }
  };
  document.addEventListener("htmx:configRequest", (event) => {
    Object.assign(event.detail.headers, headers());
  });
  document.addEventListener("entered", (event) => {
    try {
      localStorage.setItem(KEY, event.detail.key);
    } catch { /* it keeps nothing: pages are shown, and a change says what to do */ }
  });
  window.batchsora = { say, meant, localise, headers, day, clock };

  // --- parts that follow the database -----------------------------------------------------------
  // A part is asked for again when something changed, one request at a time, and only what differs
  // is replaced; while somebody types or chooses in it, it waits.
  const busy = new WeakMap();
  const isUsed = (part) => {
    const active = document.activeElement;
    return pressed
      || (active && part.contains(active) && active.matches("input, select, textarea, video"))
      || part.querySelector(".htmx-request") !== null
      || [...part.querySelectorAll("video")].some((video) => !video.paused);
  };
  // a button that is replaced between its press and its release is never clicked
  let pressed = false;
  let waits = false;
  addEventListener("pointerdown", () => { pressed = true; }, true);
  for (const end of ["pointerup", "pointercancel", "focusout", "pause", "htmx:afterRequest"]) {
    addEventListener(end, () => {
      pressed = false;
      if (waits) setTimeout(refreshAll);
    }, true);
  }
  const refresh = async (part) => {
    if (lost) return;
    if (busy.get(part)) { busy.set(part, "again"); return; }
    busy.set(part, "going");
    try {
      const answer = await fetch(part.dataset.live, { headers: { "HX-Request": "true" } });
      if (!answer.ok) return;
      const text = await answer.text();
      if (lost) return;
      if (part.lastText === text) return;
      if (isUsed(part)) { waits = true; return; }
      part.lastText = text;
      morph(part, text);
    } catch { /* the link's state says that the server is gone */ } finally {
      const again = busy.get(part) === "again";
      busy.delete(part);
      if (again) refresh(part);
    }
  };

  // Nodes that are the same stay: focus, selection, scrolling and images are not touched.
  const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName
    && (a.nodeType !== Node.ELEMENT_NODE || a.id === b.id);
  const attributes = (old, fresh) => {
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
  };
  const children = (old, fresh) => {
    const wanted = [...fresh.childNodes];
    wanted.forEach((node, place) => {
      const there = old.childNodes[place];
      if (!there) { old.append(node); return; }
      if (!same(there, node)) { there.replaceWith(node); return; }
      if (there.nodeType !== Node.ELEMENT_NODE) {
        if (there.nodeValue !== node.nodeValue) there.nodeValue = node.nodeValue;
      } else if (!there.isEqualNode(node)) {
        attributes(there, node);
        children(there, node);
      }
    });
    while (old.childNodes.length > wanted.length) old.lastChild.remove();
  };
  const morph = (part, text) => {
    const fresh = document.createElement(part.nodeName);
    fresh.innerHTML = text;
    localise(fresh);
    children(part, fresh);
    htmx.process(part);
    part.dispatchEvent(new CustomEvent("batchsora:fresh", { bubbles: true }));
  };
  const refreshAll = () => {
    if (lost) return;
    if (document.hidden) { stale = true; return; }
    stale = waits = false;
    for (const part of document.querySelectorAll("[data-live]")) refresh(part);
    document.dispatchEvent(new CustomEvent("batchsora:changed"));
  };
  let stale = false;
  document.addEventListener("visibilitychange", () => { if (!document.hidden && stale) refreshAll(); });

  // --- the link to the server ---------------------------------------------------------------------
  // Who answers at this address after the server was gone may be another account of the machine, which
  // took the port: it must get no page of its own into this tab, whose origin the next start may have.
  // Only the server that the tab came from knows its boot; until it says that, nothing that is answered
  // is shown, and nothing is loaded again.
  let boot = null;
  let wait = 1000;
  let lost = false;
  let outside = false;
  const link = (state, text) => {
    const shown = byId("link");
    if (!shown || shown.dataset.state === state) return;
    shown.dataset.state = state;
    shown.querySelector(".link-words").textContent = text;
  };
  // strangers are told less: whoever was let in is not any more, or the server was restarted
  const isOutside = async () => {
    try {
      const answer = await fetch("/healthz");
      return answer.ok && !("database" in await answer.json());
    } catch { return false; }
  };
  const CLOSED = "You are logged out, or the page was stopped. Open the newest address that "
    + "'batchsora web' shows, or log in again";
  const leave = () => {
    link("outside", "not logged in");
    if (document.querySelector("[data-keeps]")) {
      if (!outside) say(`${CLOSED}, in another tab; then go on here.`, true);
      outside = true;
      return;
    }
    outside = true;
    // what was shown is for whoever is inside
    const card = document.createElement("div");
    card.className = "card narrow";
    const heading = document.createElement("h1");
    heading.textContent = "You are not logged in";
    const words = document.createElement("p");
    words.textContent = `${CLOSED}. Runs are not affected.`;
    card.append(heading, words);
    byId("ask")?.close();
    byId("main").replaceChildren(card);
  };
  const connect = () => {
    const events = new EventSource("/events");
    events.addEventListener("changed", (event) => {
      const now = JSON.parse(event.data).boot;
      if (boot !== null && boot !== now) {
        events.close();
        lost = true;
        leave();
        return;
      }
      wait = 1000;
      lost = outside = false;
      link("live", "live");
      boot = now;
      refreshAll();
      // also of a page that is hidden
      document.dispatchEvent(new CustomEvent("batchsora:heard"));
    });
    events.addEventListener("error", async () => {
      lost = boot !== null;
      if (!outside) link("lost", "no connection; trying again");
      events.close();
      if (lost && await isOutside()) {
        leave();
        if (!document.querySelector("[data-keeps]")) return;
      }
      setTimeout(connect, wait);
      wait = Math.min(wait * 2, 15000);
    });
  };

  // --- what htmx does -----------------------------------------------------------------------------
  document.addEventListener("told", (event) => {
    if (!event.detail.trouble) byId("ask")?.close(); // what it asked is done
    say(event.detail.text, event.detail.trouble);
  });
  document.addEventListener("htmx:responseError", (event) => {
    const { xhr } = event.detail;
    say(meant(xhr.status, xhr.getResponseHeader("Content-Type"), xhr.responseText), true);
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    // a whole page does not belong into the middle of another one
    if (!event.detail.shouldSwap || !/^\s*<!doctype/i.test(event.detail.serverResponse)) return;
    event.detail.shouldSwap = false;
    say("The server answered with another page. Reload this one; you may have to log in again.", true);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hush(byId("trouble"));
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    // what asks by itself, as each second; a person who asks is answered
    if (lost && !event.detail.requestConfig.triggeringEvent) event.preventDefault();
  });
  document.addEventListener("htmx:sendError", () => {
    say("The server can't be reached. Nothing was changed.", true);
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful && event.detail.requestConfig.verb !== "get") refreshAll();
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    localise(event.detail.target);
    if (event.detail.target.id === "ask" && !event.detail.target.open) event.detail.target.showModal();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-closes]")) byId("ask").close();
  });

  // --- a job's neighbours, by the keys of the gallery -------------------------------------------------
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("ask").open) return;
    if (event.target.closest("input, select, textarea, video")) return;
    const way = { j: "next", k: "prev" }[event.key.toLowerCase()];
    if (way) document.querySelector(`#steps a[rel=${way}]`)?.click();
  });

  // --- filters: shown as soon as they are chosen ----------------------------------------------------
  document.addEventListener("change", (event) => {
    const form = event.target.closest("[data-filters]");
    if (form && event.target.matches("select")) form.requestSubmit();
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-filters]")) return;
    for (const field of event.target.elements) field.disabled = field.name !== "" && field.value === "";
  });

  localise(document);
  if (byId("link")) connect();
})();
