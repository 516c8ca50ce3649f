// The form for one video: characters as the API counts them, the price, and a look at the picture.
"use strict";

(() => {
  const shown = () => {
    const form = document.getElementById("generate");
    if (!form) return;
    document.getElementById("count").textContent = [...form.prompt.value.trim()].length;
    const prices = JSON.parse(form.dataset.prices);
    const image = form.picture.files.length > 0 || form.image.value.trim() !== "";
    const price = prices[form.duration.value + (image ? "+image" : "")];
    document.getElementById("price").textContent = price;
    const known = /^\$\S+/.exec(price);
    document.getElementById("button-price").textContent = known ? ` for ${known[0]}` : "";
  };
  const preview = (input) => {
    const image = document.getElementById("preview");
    if (image.src) URL.revokeObjectURL(image.src);
    const [file] = input.files;
    image.hidden = !file;
    if (file) image.src = URL.createObjectURL(file);
  };
  document.addEventListener("input", shown);
  document.addEventListener("change", (event) => {
    if (event.target.id === "picture") preview(event.target);
    shown();
  });
  document.addEventListener("keydown", (event) => {
    const form = event.target.closest("#generate");
    if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  document.addEventListener("htmx:afterSwap", () => {
    shown();
    document.querySelector("#generate [autofocus]")?.focus();
  });
  shown();
})();
