// The menu takes along what the page is about: its address without the page's name.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.(".nav-holder a");
  if (link) link.search = location.search;
}, true);
