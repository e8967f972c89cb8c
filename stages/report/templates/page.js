"use strict";
const bar = document.getElementById("filters");
const galleries = [...document.querySelectorAll(".gallery")];
const cards = galleries.flatMap((gallery) => [...gallery.querySelectorAll(".card")].map((element) => (
  { element, gallery: gallery.dataset.gallery, ...element.dataset, words: element.textContent.toLowerCase() })));

function apply() {
  const chosen = [...bar.querySelectorAll("select")].filter((one) => one.value).map((one) => [one.dataset.key, one.value]);
  const words = document.getElementById("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  const left = new Set();
  for (const card of cards) {
    const fits = chosen.every(([key, value]) => card[key] === value) && words.every((word) => card.words.includes(word));
    if (card.element.hidden === fits) card.element.hidden = !fits;
    if (fits) { shown += 1; left.add(card.gallery); }
  }
  const only = bar.querySelector("[data-key=gallery]").value;
  for (const gallery of galleries) {
    gallery.hidden = Boolean(only) && gallery.dataset.gallery !== only;
    gallery.querySelector(".none").hidden = left.has(gallery.dataset.gallery) || !gallery.querySelector(".card");
  }
  document.getElementById("shown").textContent = `${shown} of ${cards.length} shown`;
}

let waiting = 0;
function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(apply, 60);
}
bar.hidden = false;
bar.addEventListener("input", soon);
bar.addEventListener("reset", soon);
bar.addEventListener("submit", (event) => event.preventDefault());
apply();

// Pictures are decoded when they come near the screen; all of them before the page is printed.
let data = null;
function show(image) {
  data ??= JSON.parse(document.getElementById("pictures").textContent);
  if (!image.src) image.src = data[image.dataset.picture];
}
const pictures = [...document.querySelectorAll("img[data-picture]")];
const near = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    show(entry.target);
    near.unobserve(entry.target);
  }
}, { rootMargin: "800px" });
pictures.forEach((image) => near.observe(image));
const folded = [...document.querySelectorAll("details:not(#record)")];
let unfolded = [];
addEventListener("beforeprint", () => {
  pictures.forEach(show);
  unfolded = folded.filter((one) => !one.open);
  for (const one of unfolded) one.open = true;
});
addEventListener("afterprint", () => {
  for (const one of unfolded) one.open = false;
});

const theme = document.getElementById("theme");
theme.hidden = false;
theme.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

const large = document.getElementById("large");
const pane = large.querySelector(".pane");
let current = null;
let zoom = 1;
function enlarge(element) {
  current = element;
  show(element.querySelector("img"));
  pane.replaceChildren(element.querySelector(".picture").cloneNode(true));
  large.querySelector(".text").textContent = element.querySelector(".text").textContent;
  scale(1);
  if (!large.open) large.showModal();
}
function scale(factor) {
  zoom = Math.min(8, Math.max(1, factor));
  pane.style.setProperty("--zoom", zoom);
}
function step(by) {
  const visible = cards.filter((card) => !card.element.hidden && !card.element.closest("[hidden]")).map((card) => card.element);
  if (visible.length) enlarge(visible[(visible.indexOf(current) + by + visible.length) % visible.length]);
}
const deeds = {
  previous: () => step(-1),
  next: () => step(1),
  in: () => scale(zoom * 1.5),
  out: () => scale(zoom / 1.5),
  boxes: (button) => {
    const off = pane.classList.toggle("bare");
    button.setAttribute("aria-pressed", String(!off));
  },
};
const keys = { ArrowLeft: "previous", ArrowRight: "next", "+": "in", "-": "out", b: "boxes" };
document.getElementById("samples").parentElement.addEventListener("click", (event) => {
  const button = event.target.closest(".enlarge");
  if (button) enlarge(button.closest(".card"));
});
large.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) deeds[button.dataset.do](button);
  if (event.target === large) large.close();
});
large.addEventListener("keydown", (event) => {
  const deed = keys[event.key];
  if (!deed || (zoom > 1 && event.key.startsWith("Arrow"))) return;
  event.preventDefault();
  deeds[deed](large.querySelector(`[data-do=${deed}]`));
});

// The ids of the run lie beside the page, if at all: asked for only when somebody wants them.
const record = document.getElementById("record");
function tell(found) {
  const said = document.getElementById("record-said");
  const fits = found.page === document.documentElement.dataset.digest;
  said.textContent = fits ? "As recorded beside this page:" : "The record beside this page is of another page:";
  const list = document.getElementById("record-ids");
  for (const [name, value] of Object.entries(found)) {
    const head = document.createElement("dt");
    const text = document.createElement("dd");
    head.textContent = name;
    text.textContent = value;
    list.append(head, text);
  }
}
record.addEventListener("toggle", () => {
  if (record.dataset.asked) return;
  record.dataset.asked = "yes";
  const script = document.createElement("script");
  script.src = "../report_run.js";
  script.onload = () => tell(window.medgroundRun);
  script.onerror = () => { document.getElementById("record-said").textContent = "No record of a run lies beside this page (metrics/report_run.js)."; };
  document.head.append(script);
});
