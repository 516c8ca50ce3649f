// What a person who looks elsewhere is told: progress in the title; a run's end and what needs a person
// as notifications of the browser, if the person asked for them.
"use strict";

(() => {
  const WANTED = "batchsora-notify";  // of this host and port: a browser's permission is as well
  const HEARD = "batchsora-heard";    // of this tab: the number of the newest event that it knows
  const button = document.getElementById("notify");
  const title = document.title;
  const kept = (store, name) => { try { return store.getItem(name); } catch { return null; } };
  const keep = (store, name, value) => { try { store.setItem(name, value); } catch { /* for now only */ } };

  const may = () => "Notification" in window && Notification.permission !== "denied";
  const wanted = () => may() && Notification.permission === "granted" && kept(localStorage, WANTED) === "on";
  const press = () => {
    if (!button) return;
    button.hidden = !may();
    button.setAttribute("aria-pressed", String(wanted()));
    button.title = wanted() ? "Notifications are on for this browser"
      : "Tell me when a run ends, or when it needs me";
  };

  const tell = ({ text, where, tag }) => {
    // two tabs tell the same: the browser shows one of a tag
    const shown = new Notification("batchsora", { body: text, tag: `batchsora-${tag}`, icon: "/static/icon.svg" });
    shown.addEventListener("click", () => {
      window.focus();
      location.assign(where);
      shown.close();
    });
  };

  let asking = false;
  let again = false;
  const listen = async () => {
    if (asking) { again = true; return; }
    asking = true;
    try {
      const heard = kept(sessionStorage, HEARD);
      const answer = await fetch(`/news${heard === null ? "" : `?after=${heard}`}`);
      if (!answer.ok) return;
      const { newest, news, progress } = await answer.json();
      keep(sessionStorage, HEARD, String(newest));
      const here = document.querySelector("[data-batch]")?.dataset.batch;
      const counts = here ? [progress[here]].filter(Boolean) : Object.values(progress);
      const [done, total] = counts.reduce((sum, one) => [sum[0] + one[0], sum[1] + one[1]], [0, 0]);
      document.title = total ? `${done}/${total} · ${title}` : title;
      if (wanted()) news.forEach(tell);
    } catch { /* the link's state says that the server is gone */ } finally {
      asking = false;
      if (again) { again = false; listen(); }
    }
  };

  button?.addEventListener("click", async () => {
    const { say } = window.batchsora;
    if (wanted()) {
      keep(localStorage, WANTED, "off");
      say("Notifications are off.");
    } else if (await Notification.requestPermission() === "granted") {
      keep(localStorage, WANTED, "on");
      say("You are told when a run ends or needs you, while a page of batchsora is open.");
    } else {
      say("This browser does not allow notifications here: allow them in its settings for this address.", true);
    }
    press();
  });
  document.addEventListener("batchsora:heard", listen);
  press();
})();
