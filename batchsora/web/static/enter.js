// Keeps, for this host and port alone, what changes must carry: a cookie would go to every port.
"use strict";

try {
  localStorage.setItem("batchsora-key", document.currentScript.dataset.key);
} catch { /* it keeps nothing: pages are shown, and a change says what to do */ }
