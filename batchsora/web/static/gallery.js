// The gallery: a player over the grid, by mouse, finger and keyboard; verdicts and redoing.
"use strict";

(() => {
  const player = document.getElementById("player");
  const grid = document.getElementById("grid");
  if (!player || !grid) return;
  const video = player.querySelector("video");
  const buttons = () => [...grid.querySelectorAll(".open")];
  let shown = null;
  let last = buttons()[0];  // the tile that was used last: keys mean it while nothing has the focus
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  const tile = (button) => button.closest(".tile");
  const part = (name) => player.querySelector(name);

  const press = () => {
    const verdict = tile(shown).dataset.verdict;
    for (const one of player.querySelectorAll("[data-verdict]")) {
      one.setAttribute("aria-pressed", String(one.dataset.verdict === verdict));
    }
  };
  const show = (button, play) => {
    shown = button;
    const all = buttons();
    const { key, prompt, price, video: file, poster, job, shape } = button.dataset;
    video.poster = poster;
    video.src = file;
    video.className = shape;
    part("#player-key").textContent = key;
    part(".prompt").textContent = prompt;
    part(".price").textContent = price;
    part(".place").textContent = `${all.indexOf(button) + 1} of ${all.length}`;
    part("[data-do=download]").href = `${file}?download`;
    part("[data-do=story]").href = `/jobs/${job}`;
    press();
    if (!player.open) player.showModal();
    history.replaceState(null, "", `#${tile(button).id}`);
    if (play && !still.matches) video.play().catch(() => { /* the browser wants a press of a key first */ });
  };
  const step = (by) => {
    const all = buttons();
    const next = all[all.indexOf(shown) + by];
    if (next) show(next, true);
  };
  const judge = async (button, verdict) => {
    const old = tile(button).dataset.verdict;
    const said = old === verdict ? "none" : verdict;
    const answer = await fetch(`/jobs/${button.dataset.job}/verdict`, {
      method: "POST", headers: window.batchsora.headers(), body: new URLSearchParams({ verdict: said }),
    }).catch(() => null);
    if (!answer || !answer.ok) {
      const { say, meant } = window.batchsora;
      say(answer ? meant(answer.status, answer.headers.get("Content-Type"), await answer.text())
        : "The server can't be reached. Nothing was changed.", true);
      return;
    }
    tile(button).dataset.verdict = said;
    tile(button).querySelector(".verdict").textContent = said === "none" ? "" : said;
    const told = JSON.parse(answer.headers.get("HX-Trigger"));
    window.batchsora.say(told.told.text, false);
    if (shown) press();
  };
  const redo = (button) => {
    htmx.ajax("GET", `/jobs/${button.dataset.job}/redo`, { target: "#ask", swap: "innerHTML" });
  };

  grid.addEventListener("click", (event) => {
    const button = event.target.closest(".open");
    if (button) show(button, true);
  });
  player.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (event.target === player) player.close();
    if (!button) return;
    if (button.dataset.verdict) judge(shown, button.dataset.verdict);
    const what = button.dataset.do;
    if (what === "previous") step(-1);
    if (what === "next") step(1);
    if (what === "close") player.close();
    if (what === "redo") redo(shown);
  });
  player.addEventListener("close", () => {
    video.pause();
    video.removeAttribute("src");
    video.load();
    shown?.focus();
    shown = null;
    history.replaceState(null, "", location.pathname + location.search);
  });

  // in the grid the keys move the focus; in the player they move through the videos
  const STEPS = { ArrowLeft: -1, k: -1, ArrowRight: 1, j: 1 };
  const move = (button, key) => {
    const all = buttons();
    const place = all.indexOf(button);
    const by = STEPS[key];
    if (by) {
      all[place + by]?.focus();
      return true;
    }
    if (key !== "ArrowUp" && key !== "ArrowDown") return false;
    // the nearest tile of the row above or below: rows have tiles of two widths
    const here = button.getBoundingClientRect();
    const middle = (one) => one.getBoundingClientRect().left + one.offsetWidth / 2;
    const beyond = all.map((one) => [one, one.getBoundingClientRect().top - here.top])
      .filter(([, down]) => (key === "ArrowDown" ? down > 4 : down < -4));
    const row = Math.min(...beyond.map(([, down]) => Math.abs(down)));
    const near = beyond.filter(([, down]) => Math.abs(down) - row < 4).map(([one]) => one);
    near.sort((a, b) => Math.abs(middle(a) - middle(button)) - Math.abs(middle(b) - middle(button)));
    near[0]?.focus();
    return true;
  };
  grid.addEventListener("focusin", (event) => { last = event.target.closest(".open") ?? last; });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, #ask")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const nowhere = !player.open && event.target.matches("body, main");
    const button = shown ?? event.target.closest(".open") ?? (nowhere ? last : null);
    let used = true;
    if (key === "?") {
      if (!player.open && button) show(button, false);
      part("#keys").open = true;
    } else if (!button) {
      used = false;
    } else if (key === "f") judge(button, "favourite");
    else if (key === "x") judge(button, "rejected");
    else if (key === "r") redo(button);
    else if (nowhere && key === "Enter") show(button, true);
    else if (!shown) used = move(button, key);
    else if (STEPS[key]) step(STEPS[key]);
    else if (key === " " && !event.target.closest("button, a, summary")) {
      if (video.paused) video.play(); else video.pause();
    } else used = false;
    if (used) event.preventDefault();
  });

  const open = () => {
    const named = /^#job-\d+$/.test(location.hash) && document.querySelector(`${location.hash} .open`);
    if (named) show(named, false);
  };
  addEventListener("hashchange", open);
  open();
  // keys work at once; a person who has chosen something else already keeps that
  if (!shown && document.activeElement === document.body) last.focus({ preventScroll: true });
})();
