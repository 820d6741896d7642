// Dialogs, live updates and small conveniences. Every page works without it, only less briskly.
"use strict";
(() => {
  const $ = (selector, within = document) => within.querySelector(selector);
  const say = (text) => { const said = $("#said"); if (said) said.textContent = text; };

  // -- the dialog ---------------------------------------------------------------------------
  const modal = () => $("#modal");
  let opener = null;

  const open = () => {
    if (!modal().open) {
      opener = document.activeElement;
      modal().showModal();
    }
    const first = $("#dialog [autofocus]") || $("#dialog h2");
    if (first) first.focus();
  };

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "dialog") open();
    if (event.detail.target.id === "notice") { $("#notice").focus(); scrollTo({ top: 0 }); }
    times(event.detail.target);
  });

  document.addEventListener("click", (event) => {
    const close = event.target.closest("[data-close]");
    if (close && modal().open) { event.preventDefault(); modal().close(); }
    else if (close && close.closest("#notice")) { event.preventDefault(); $("#notice").replaceChildren(); }
    if (event.target === modal()) modal().close();
    const login = event.target.closest("[data-login]");
    if (login) {
      event.preventDefault();
      location.href = `/console/login?expired=1&next=${encodeURIComponent(location.pathname + location.search)}`;
    }
    const set = event.target.closest("[data-set]");
    if (set) mirror(set.closest("form"), set.dataset.set);
    const copy = event.target.closest("[data-copy]");
    if (copy) navigator.clipboard.writeText($(`#${copy.dataset.copy}`).textContent).then(() => say("Copied"));
  });

  document.addEventListener("DOMContentLoaded", () => {
    modal().addEventListener("close", () => {
      $("#dialog").replaceChildren();
      if (opener && !opener.isConnected && opener.id) opener = document.getElementById(opener.id);
      if (opener && opener.isConnected) opener.focus();
      opener = null;
    });
    times(document);
    if ($("[data-feed]")) local($("[data-feed]"));
    follow();
  });

  // -- forms of items: only the fields that the chosen kind has ------------------------------
  const fit = () => {
    const chosen = $("[data-item] [data-kind]");
    if (!chosen) return;
    for (const part of document.querySelectorAll("[data-item] [data-for]")) {
      part.hidden = !part.dataset.for.split(" ").includes(chosen.value);
      for (const input of part.querySelectorAll("input, select, textarea")) input.disabled = part.hidden;
    }
  };
  document.addEventListener("change", (event) => { if (event.target.matches("[data-kind]")) fit(); });
  document.addEventListener("DOMContentLoaded", fit);

  // -- what fails -----------------------------------------------------------------------------
  const lost = (yes) => {
    const note = $("#lost");
    if (note && note.hidden === yes) note.hidden = !yes;
  };
  // How old is what is shown: the time since the control plane last answered anything. A hung one
  // sends no error, so age alone tells; after five seconds the page is grey and says so.
  const STALE_MS = 5000;
  let heard = performance.now();
  const fresh = () => { heard = performance.now(); aged(); };
  const aged = () => {
    const age = performance.now() - heard, stale = age > STALE_MS, label = $("#age");
    document.body.classList.toggle("stale", stale);
    if (!label) return;
    label.hidden = !stale;
    label.textContent = stale ? `What you see is ${Math.floor(age / 1000)} s old` : "";
    if (stale && age > 3 * STALE_MS) lost(true);
  };
  setInterval(aged, 500);
  document.addEventListener("htmx:sendError", () => lost(true));
  document.addEventListener("htmx:timeout", (event) => {
    lost(true);
    if (event.detail.elt.closest("form")) say("No answer after 15 seconds: it is not known whether it was done.");
  });
  document.addEventListener("htmx:afterOnLoad", (event) => {
    if (event.detail.xhr.status < 500) { fresh(); lost(false); }
  });
  // A press answers at once, and ends: with the answer, or with the timeout.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const form = event.detail.elt.closest("form[hx-post]");
    if (form) form.classList.add("sent");
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.detail.elt.closest("form[hx-post]");
    if (form) form.classList.remove("sent");
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, target } = event.detail;
    const ours = xhr.getResponseHeader("HX-Retarget") || target.id === "dialog";
    // What came from something between us and the control plane does not take a part's place.
    if (xhr.status >= 400 && !ours) { event.detail.shouldSwap = false; lost(true); }
  });

  // -- live -----------------------------------------------------------------------------------
  document.addEventListener("htmx:beforeRequest", (event) => {
    const trigger = event.detail.requestConfig.triggeringEvent;
    const polls = event.detail.elt.getAttribute("hx-trigger") || "";
    if (!polls.includes("every")) return;
    const selecting = !getSelection().isCollapsed && event.detail.elt.contains(getSelection().anchorNode);
    const inMenu = $("details.menu[open]", event.detail.elt);
    if ((document.hidden && !trigger) || selecting || inMenu) event.preventDefault();
  });

  let stream = null;
  const follow = () => {
    const feed = $("[data-feed]");
    const start = () => {
      if (stream || document.hidden || !$("#status")) return;
      stream = new EventSource("/console/live" + (feed ? `?route=${encodeURIComponent(feed.dataset.feed)}` : ""));
      stream.addEventListener("current", () => { lost(false); fresh(); });
      stream.addEventListener("kill", () => htmx.trigger(document.body, "figway:change"));
      for (const name of ["revision", "ack", "breaker", "comparisons"]) {
        stream.addEventListener(name, (event) => {
          htmx.trigger(document.body, "figway:change");
          if (name === "revision") say(`Revision ${JSON.parse(event.data).revision}`);
          if (feed && name !== "ack") tell(feed, name, JSON.parse(event.data));
        });
      }
      stream.addEventListener("decisions", (event) => feed && decided(feed, JSON.parse(event.data)));
      stream.onerror = () => { if (stream && stream.readyState === EventSource.CLOSED) stop(); };
    };
    const stop = () => { if (stream) stream.close(); stream = null; };
    // A hidden page listens to nothing: browsers allow a host six connections, over all its pages.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) stop();
      else { start(); htmx.trigger(document.body, "figway:change"); }
    });
    addEventListener("pagehide", stop);
    setInterval(start, 5000);
    start();
  };

  const MOST = 120;
  const held = [];
  let paused = false;
  const put = (feed, items) => {
    if (paused) { held.push(...items); held.splice(0, held.length - MOST); return; }
    if (!items.length) return;
    const waiting = $(":scope > .quiet", feed);
    if (waiting) waiting.remove();
    // Who has scrolled down reads: what is read stays where it is.
    const reads = feed.scrollTop > 4, before = feed.scrollHeight;
    for (const item of items) feed.prepend(item);
    while (feed.children.length > MOST) feed.lastElementChild.remove();
    if (reads) feed.scrollTop += feed.scrollHeight - before;
  };
  const decided = (feed, told) => {
    // Rendered and made harmless by the control plane; the policy runs nothing in it.
    const holder = document.createElement("template");
    holder.innerHTML = told.html;
    local(holder.content);
    put(feed, [...holder.content.children].reverse());
  };
  const line = (feed, text, kind) => {
    const item = document.createElement("li");
    item.className = kind;
    const at = document.createElement("time");
    at.textContent = new Date().toLocaleTimeString();
    const words = document.createElement("bdi");
    words.className = "what";
    words.textContent = text;
    item.append(at, " ", words);
    put(feed, [item]);
  };
  const tell = (feed, name, told) => {
    if (name === "revision") line(feed, `revision ${told.revision}: ${(told.summary || []).join("; ").slice(0, 300)}`, "revision");
    else if (name === "breaker" && told.route === feed.dataset.feed) line(feed, `breaker at ${told.instance}: ${told.was} → ${told.becomes}`, "breaker");
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-pause]");
    if (!button) return;
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    button.textContent = paused ? "Go on" : "Pause";
    if (!paused) put($("[data-feed]"), held.splice(0));
  });

  // -- conveniences ---------------------------------------------------------------------------
  const mirror = (form, value) => {
    for (const input of form.querySelectorAll("[data-mirror]")) input.value = value;
  };
  document.addEventListener("input", (event) => {
    const other = event.target.dataset && event.target.dataset.mirror;
    if (other) document.getElementById(other).value = event.target.value.replace(",", ".");
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-instant]");
    if (form && event.target.tagName === "SELECT") form.requestSubmit();
  });
  document.addEventListener("submit", (event) => {
    // Empty filters have no place in the URL.
    if (event.target.method === "get") {
      for (const input of event.target.elements) if (input.name && !input.value) input.disabled = true;
      setTimeout(() => { for (const input of event.target.elements) if (input.name && !input.value) input.disabled = false; });
    }
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, dialog");
    if (event.key === "/" && !typing) {
      const search = $("[data-shortcut='/']");
      if (search) { event.preventDefault(); search.focus(); }
    }
  });
  // Times of the feed, in the reader's own zone.
  const local = (within) => {
    for (const time of within.querySelectorAll("time[datetime]")) time.textContent = new Date(time.dateTime).toLocaleTimeString();
  };
  const times = (within) => {
    for (const time of within.querySelectorAll("time[datetime]")) {
      time.title = new Date(time.dateTime).toLocaleString();
    }
  };
})();
