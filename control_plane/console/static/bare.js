// The log-in page. A link's form sends itself, which programs that only look at links do not do.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("form[data-send]");
  if (form) {
    history.replaceState(null, "", location.pathname);
    form.requestSubmit();
  }
});
