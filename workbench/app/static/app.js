// The menu takes along what the page is about: its address without the page's name.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.(".nav-holder a");
  if (link) link.search = location.search;
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
  const here = new URLSearchParams(location.search);
  if (presenting()) here.delete("present");
  else here.set("present", "1");
  const search = here.toString();
  history.replaceState(null, "", location.pathname + (search ? `?${search}` : ""));
  present();
});
