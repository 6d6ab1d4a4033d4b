// Where this page is, in its own words and with these changes (null: without).
const changed = (search, changes) => {
  const here = new URLSearchParams(search);
  for (const [key, value] of Object.entries(changes)) value === null ? here.delete(key) : here.set(key, value);
  return here.toString() && `?${here}`;
};
// The one place that writes addresses, for the pages' own scripts as well: the document's base is the root, so that a
// search alone ("?moment=...") would name the first page.
const readdress = (changes) => {
  const search = changed(location.search, changes);
  if (search !== location.search) history.replaceState(null, "", location.pathname + search);
};

// A kept run is the page's address while it is on the page; afterwards its moment is.
customElements.define("kept-run", class extends HTMLElement {
  connectedCallback() { readdress({ run: this.dataset.name, moment: null }); }
  disconnectedCallback() {
    const { name, moment } = this.dataset;
    setTimeout(() => {
      const left = !document.querySelector("kept-run") && new URLSearchParams(location.search).get("run") === name;
      if (left) readdress({ run: null, moment });
    });
  }
});

// So are the runs that are pinned beside it.
customElements.define("pinned-runs", class extends HTMLElement {
  connectedCallback() { readdress({ pin: this.dataset.names }); }
  disconnectedCallback() {
    setTimeout(() => { if (!document.querySelector("pinned-runs")) readdress({ pin: null }); });
  }
});

// So is the kind of study, once somebody chooses it. (Gradio's own event also comes as the page opens, for the first.)
document.addEventListener("click", (event) => {
  const tab = event.target.closest?.("#studies [role=tab]");
  if (tab) readdress({ tab: tab.textContent.trim().toLowerCase() });
}, true);

// So are the recorded episode on a page, unless a visitor brought it, and the step that its slider was left at.
customElements.define("shown-episode", class extends HTMLElement {
  static observedAttributes = ["data-name"];
  attributeChangedCallback(_, before, name) {
    const known = new URLSearchParams(location.search).get("episode") === name;
    readdress(known ? {} : { episode: name || null, step: null });
  }
});
document.addEventListener("change", (event) => {
  const slider = event.target.closest?.("#recording .controls input");
  if (slider && document.querySelector("shown-episode").dataset.name) readdress({ step: slider.value });
});

// The menu takes along what the page is about: its address without the page's name. Of a run only this page knows.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.(".nav-holder a");
  const moment = document.querySelector("kept-run")?.dataset.moment;
  if (link) link.search = changed(location.search, moment ? { run: null, moment } : { run: null });
}, true);

// The presentation: large, no settings. It is part of the address, so that it survives a reload and the menu takes
// it along. Starting over is opening the page anew: the server forgets a window that has gone.
const presenting = () => new URLSearchParams(location.search).has("present");
const present = () => document.documentElement.classList.toggle("presenting", presenting());
present();
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-frame-action]");
  if (!button) return;
  if (button.dataset.frameAction === "reset") {
    location.replace(location.pathname + (presenting() ? "?present=1" : ""));
    return;
  }
  readdress({ present: presenting() ? null : "1" });
  present();
});

// A link to another page keeps presenting, too.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-keeps-presenting]");
  if (link && presenting()) link.search = changed(link.search, { present: "1" });
}, true);
