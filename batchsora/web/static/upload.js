// Files that are dropped or chosen: what was chosen, whether it is too much, and how far it is sent.
// Without this script the plain fields do the same.
"use strict";

(() => {
  const MB = 1024 * 1024;
  const fields = (zone) => [...zone.querySelectorAll("input[type=file]")];
  const chosen = (zone) => fields(zone).flatMap((field) => [...field.files]);

  const show = (zone) => {
    const files = chosen(zone);
    const bytes = files.reduce((sum, file) => sum + file.size, 0);
    const list = zone.querySelector(".dropped");
    const lines = files.slice(0, 5).map((file) => file.webkitRelativePath || file.name);
    if (files.length > 5) lines.push(`and ${files.length - 5} more`);
    if (files.length > 1) lines.push(`together ${bytes < MB ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / MB).toFixed(1)} MB`}`);
    const most = Number(zone.dataset.most);
    if (bytes > most) lines.push(`This is more than ${Math.round(most / MB)} MB: send fewer or smaller pictures.`);
    list.replaceChildren(...lines.map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }));
    list.classList.toggle("problem", bytes > most);
  };

  // A dropped folder is read with the folders inside of it; names keep their path.
  const entries = (reader) => new Promise((give, fail) => reader.readEntries(give, fail));
  const walk = async (entry, files) => {
    if (entry.isFile) {
      const file = await new Promise((give, fail) => entry.file(give, fail));
      const path = entry.fullPath.replace(/^\//, "");
      files.push(path === file.name ? file : new File([file], path, { type: file.type }));
      return;
    }
    const reader = entry.createReader();
    for (let some = await entries(reader); some.length; some = await entries(reader)) {
      for (const inside of some) await walk(inside, files);
    }
  };
  const dropped = async (transfer) => {
    const items = [...transfer.items].map((item) => item.webkitGetAsEntry?.());
    if (!items.length || items.some((entry) => !entry)) return [...transfer.files];
    const files = [];
    for (const entry of items) await walk(entry, files);
    return files;
  };

  const zoneOf = (event) => event.target instanceof Element ? event.target.closest("[data-drop]") : null;
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();  // a file dropped beside it would replace the page
    const zone = zoneOf(event);
    event.dataTransfer.dropEffect = zone ? "copy" : "none";
    for (const other of document.querySelectorAll("[data-drop].over")) {
      if (other !== zone) other.classList.remove("over");
    }
    zone?.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) zoneOf(event)?.classList.remove("over");
  });
  document.addEventListener("drop", async (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    const zone = zoneOf(event);
    if (!zone) return;
    zone.classList.remove("over");
    const field = fields(zone)[0];
    const all = new DataTransfer();
    try {
      const before = [...field.files];
      for (const file of [...before, ...await dropped(event.dataTransfer)]) all.items.add(file);
    } catch {
      window.batchsora.say("The files can't be read. Choose them with the button instead.", true);
      return;
    }
    field.files = all.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
  document.addEventListener("change", (event) => {
    const zone = zoneOf(event);
    if (zone) show(zone);
  });

  // --- how far it is sent ---------------------------------------------------------------------------
  const bar = (event) => event.target instanceof Element ? event.target.querySelector("progress.sent") : null;
  document.addEventListener("htmx:beforeSend", (event) => {
    const sent = bar(event);
    if (sent) {
      sent.value = 0;
      sent.hidden = false;
    }
  });
  document.addEventListener("htmx:xhr:progress", (event) => {
    const sent = bar(event);
    if (sent && event.detail.lengthComputable) sent.value = 100 * event.detail.loaded / event.detail.total;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const sent = bar(event);
    if (sent && !event.detail.successful) sent.hidden = true;
  });
  for (const folder of document.querySelectorAll("input[webkitdirectory]")) {
    if (!("webkitdirectory" in folder)) folder.closest(".from-folder").hidden = true;
  }
})();
