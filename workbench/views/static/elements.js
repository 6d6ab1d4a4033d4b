// Custom elements over HTML that already reads as a still figure. No build, no dependency, nothing fetched.
// A host may morph the HTML under them (Gradio does), so they keep their state in fields and put it back.
(() => {
  const define = (name, type) => customElements.get(name) || customElements.define(name, type);

  // The board of cards: the common sliders, and the candidate under the pointer lit in cards and paths alike.
  define("plan-board", class extends HTMLElement {
    static observedAttributes = ["style", "data-truth"];
    sliders = new Map(); // CSS variable to percent
    connectedCallback() {
      this.addEventListener("input", (event) => {
        const slider = event.target.closest(".mix, .wipe");
        if (slider) this.slide(slider.className, slider.value);
      });
      this.addEventListener("pointerover", (event) => this.light(event.target.closest("[data-candidate]")));
      this.addEventListener("pointerleave", () => this.light(null));
    }
    attributeChangedCallback(name, before, after) {
      if (name === "style" && after === null) for (const [variable, percent] of this.sliders) this.slide(variable, percent);
      if (name === "data-truth" && after === "yes") this.select("real");
      if (name === "data-truth" && before === "yes" && after === "no") this.select("imagined");
    }
    slide(variable, percent) {
      this.sliders.set(variable, percent);
      this.style.setProperty(`--${variable}`, `${percent}%`);
    }
    select(mode) {
      queueMicrotask(() => {
        const radio = this.querySelector(`input[name="mode"][value="${mode}"]`);
        if (radio) radio.checked = true;
        for (const slider of this.querySelectorAll(".mix, .wipe")) {
          slider.value = 100;
          this.slide(slider.className, 100);
        }
      });
    }
    light(part) {
      const index = part?.dataset.candidate;
      for (const other of this.querySelectorAll("[data-candidate]"))
        other.classList.toggle("hot", index !== undefined && other.dataset.candidate === index);
    }
  });

  // The place to which a plan of one's own goes: a click, or the arrow keys. What is chosen stands in fields.
  define("plan-target", class extends HTMLElement {
    static observedAttributes = ["style"];
    place = null; // share of the picture, right and down
    connectedCallback() {
      this.addEventListener("click", (event) => {
        const picture = event.target.closest(".place");
        if (!picture || !event.detail) return; // the keyboard's click has no place
        const box = picture.getBoundingClientRect();
        this.point((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
      });
      this.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
        if (!step || !event.target.closest(".place")) return;
        event.preventDefault();
        const [x, y] = this.place ?? [0.5, 0.5];
        this.point(x + step[0] / 100, y + step[1] / 100);
      });
      this.addEventListener("input", (event) => this.say(event.target));
    }
    attributeChangedCallback(name, before, after) { if (after === null && this.place) this.point(...this.place); }
    point(x, y) {
      this.place = [x, y].map((v) => Math.min(0.999, Math.max(0, v)));
      this.style.setProperty("--x", `${100 * this.place[0]}%`);
      this.style.setProperty("--y", `${100 * this.place[1]}%`);
    }
    say(input) {
      const output = input.parentElement.querySelector("output");
      if (output) output.textContent = input.value;
    }
    get choice() {
      const value = (name) => Number(this.querySelector(`[name="${name}"]`).value);
      const close = this.querySelector('[name="gripper"]:checked').value === "close";
      return { place: this.place, height: value("height") / 100, speed: value("speed") / 100, close, seen: this.dataset.seen === "yes" };
    }
  });

  // All paths, orthographic: a drag turns them. The formula is `turn` of views/paths.py.
  define("orbit-paths", class extends HTMLElement {
    connectedCallback() {
      this.azimuth ??= Number(this.dataset.azimuth || 0);
      this.elevation ??= Number(this.dataset.elevation || 0);
      this.observer = new MutationObserver(() => this.draw());
      this.watch();
      this.addEventListener("pointerdown", (event) => this.grab(event));
      this.addEventListener("pointermove", (event) => this.drag(event));
      this.addEventListener("pointerup", () => (this.last = null));
    }
    disconnectedCallback() { this.observer?.disconnect(); }
    watch() {
      this.observer.observe(this, { subtree: true, childList: true, attributes: true, attributeFilter: ["points", "transform", "data-xyz"] });
    }
    grab(event) {
      if (!event.target.closest("svg")) return;
      this.last = [event.clientX, event.clientY];
      this.setPointerCapture(event.pointerId);
    }
    drag(event) {
      if (!this.last) return;
      this.azimuth -= (event.clientX - this.last[0]) * 0.01;
      this.elevation = Math.min(1.57, Math.max(-0.2, this.elevation + (event.clientY - this.last[1]) * 0.01));
      this.last = [event.clientX, event.clientY];
      this.draw();
    }
    turn([x, y, z]) {
      const [ca, sa, ce, se] = [Math.cos(this.azimuth), Math.sin(this.azimuth), Math.cos(this.elevation), Math.sin(this.elevation)];
      return [y * ca - x * sa, (x * ca + y * sa) * se - z * ce].map((v) => v.toFixed(1));
    }
    draw() {
      this.observer.disconnect();
      for (const part of this.querySelectorAll("[data-xyz]")) {
        const points = part.dataset.xyz.split(" ").map((point) => this.turn(point.split(",").map(Number)));
        if (part.tagName === "g") part.setAttribute("transform", `translate(${points[0].join(" ")})`);
        else part.setAttribute("points", points.map((point) => point.join(",")).join(" "));
      }
      this.watch();
    }
  });

  // Two pictures and a handle between them.
  define("picture-wipe", class extends HTMLElement {
    connectedCallback() {
      this.addEventListener("input", (event) => this.style.setProperty("--wipe", `${event.target.value}%`));
    }
  });

  // A film strip in one picture, shown a frame at a time.
  define("film-player", class extends HTMLElement {
    connectedCallback() {
      this.addEventListener("input", () => { this.stop(); this.show(); });
      this.addEventListener("click", (event) => { if (event.target.closest("button")) this.timer ? this.stop() : this.play(); });
    }
    disconnectedCallback() { this.stop(); }
    get slider() { return this.querySelector("input"); }
    show() {
      const [i, columns, rows] = [Number(this.slider.value), Number(this.dataset.columns), Number(this.dataset.rows)];
      const place = (n, of) => `${(100 * n) / Math.max(of - 1, 1)}%`;
      this.querySelector(".frame").style.backgroundPosition = `${place(i % columns, columns)} ${place(Math.floor(i / columns), rows)}`;
    }
    play() {
      const last = Number(this.slider.max);
      if (Number(this.slider.value) >= last) this.slider.value = 0;
      this.querySelector("button").textContent = "❚❚";
      this.timer = setInterval(() => {
        this.slider.value = Number(this.slider.value) + 1;
        this.show();
        if (Number(this.slider.value) >= last) this.stop();
      }, 80);
    }
    stop() {
      clearInterval(this.timer);
      this.timer = null;
      this.querySelector("button").textContent = "▶";
    }
  });

  // A slider over network calls: `--call` moves the strips, `on` and `past` mark what belongs to the call.
  define("call-scrubber", class extends HTMLElement {
    static observedAttributes = ["style"];
    connectedCallback() {
      this.call ??= Number(this.dataset.calls) - 1;
      this.addEventListener("input", (event) => { this.stop(); this.show(Number(event.target.value)); });
      this.addEventListener("click", (event) => { if (event.target.closest(".controls button")) this.timer ? this.stop() : this.play(); });
      this.show(this.call);
    }
    disconnectedCallback() { this.stop(); }
    attributeChangedCallback() { // a host has brought another denoise: stand where it says
      const given = Number(this.style.getPropertyValue("--call"));
      if (this.call !== undefined && given !== this.call) { this.stop(); queueMicrotask(() => this.show(given)); }
    }
    get slider() { return this.querySelector(".controls input"); }
    show(call) {
      this.call = call;
      if (this.slider) this.slider.value = call;
      this.style.setProperty("--call", call);
      for (const part of this.querySelectorAll(".strip, .fan, .curves, .schedule")) part.style.setProperty("--call", call);
      for (const part of this.querySelectorAll("[data-call]")) {
        part.classList.toggle("on", Number(part.dataset.call) === call);
        part.classList.toggle("past", Number(part.dataset.call) < call);
      }
    }
    play() {
      const last = Number(this.dataset.calls) - 1;
      this.show(this.call >= last ? 0 : this.call + 1);
      this.querySelector(".controls button").textContent = "❚❚";
      this.timer = setInterval(() => (this.call >= last ? this.stop() : this.show(this.call + 1)), Math.max(120, 2400 / (last + 1)));
    }
    stop() {
      clearInterval(this.timer);
      this.timer = null;
      const button = this.querySelector(".controls button");
      if (button) button.textContent = "▶";
    }
  });

  // A recorded episode: one slider moves all cameras, the marks on the curves, and what a model said last.
  const scrubbed = new Map(); // name of an episode to its step: a host may put a new element in this one's place
  define("episode-scrubber", class extends HTMLElement {
    static observedAttributes = ["data-name", "data-values"];
    connectedCallback() {
      this.step ??= this.remembered;
      this.addEventListener("input", (event) => { this.stop(); this.show(Number(event.target.value)); });
      this.addEventListener("click", (event) => { if (event.target.closest(".play")) this.timer ? this.stop() : this.play(); });
      this.show(this.step);
    }
    disconnectedCallback() { this.stop(); }
    attributeChangedCallback(name, before, after) { // a host has brought another episode, or what a model says of it
      if (this.step === undefined || before === after) return;
      if (name === "data-name") { this.stop(); this.step = this.remembered; }
      queueMicrotask(() => this.show(this.step));
    }
    get last() { return Number(this.dataset.last); }
    get slider() { return this.querySelector(".controls input"); }
    get remembered() { return scrubbed.get(this.dataset.name) ?? Number(this.dataset.step); }
    show(step) {
      this.step = Math.min(step, this.last);
      scrubbed.set(this.dataset.name, this.step);
      const [decisions, values] = ["decisions", "values"].map((key) => JSON.parse(this.dataset[key] || "[]"));
      const decided = decisions.findLastIndex((at) => at <= this.step), share = this.step / Math.max(this.last, 1);
      const frame = Math.round(share * (Number(this.dataset.frames) - 1));
      for (const film of this.querySelectorAll(".frame")) {
        const [columns, rows] = [Number(film.dataset.columns), Number(film.dataset.rows)];
        const i = film.dataset.kind === "real" ? frame : Math.max(decided, 0), place = (n, of) => `${(100 * n) / Math.max(of - 1, 1)}%`;
        film.style.backgroundPosition = `${place(i % columns, columns)} ${place(Math.floor(i / columns), rows)}`;
      }
      const [from, to] = JSON.parse(this.dataset.across), x = from + share * (to - from);
      for (const plot of this.querySelectorAll(".plot")) {
        const line = plot.querySelector(".mark");
        for (const end of ["x1", "x2"]) line?.setAttribute(end, x);
        line?.nextElementSibling?.setAttribute("x", share < .7 ? x + 4 : x - 4);
        line?.nextElementSibling?.setAttribute("text-anchor", share < .7 ? "start" : "end");
      }
      const value = decided < 0 ? "" : `, value ${values[decided].toFixed(2)} at step ${decisions[decided]}`;
      this.querySelector(".controls output").textContent = `step ${this.step} of ${this.last}${value}`;
      if (this.slider) this.slider.value = this.step;
    }
    play() {
      this.show(this.step >= this.last ? 0 : this.step + 1);
      this.querySelector(".play").textContent = "❚❚";
      this.timer = setInterval(() => (this.step >= this.last ? this.stop() : this.show(this.step + 1)), 80);
    }
    stop() {
      clearInterval(this.timer);
      this.timer = null;
      const button = this.querySelector(".play");
      if (button) button.textContent = "▶";
    }
  });

  // Buttons that copy a text. Once on a page, whatever is on it later.
  if (!window.workbenchCopies) {
    window.workbenchCopies = true;
    document.addEventListener("click", async (event) => {
      const button = event.target.closest?.("[data-copy]");
      if (!button) return;
      const label = button.textContent;
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        button.textContent = "copied";
      } catch { // no clipboard here: show it, to be copied by hand
        button.parentElement.querySelector("details")?.setAttribute("open", "");
        return;
      }
      setTimeout(() => (button.textContent = label), 1500);
    });
  }
})();
