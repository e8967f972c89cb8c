"use strict";
const bar = document.getElementById("filters");
const cards = [...document.querySelectorAll(".card")];
const chosen = {};

function apply() {
  for (const card of cards) {
    card.hidden = Object.entries(chosen).some(([key, value]) => value && card.dataset[key] !== value);
  }
  for (const gallery of document.querySelectorAll(".gallery")) {
    const own = [...gallery.querySelectorAll(".card")];
    gallery.querySelector(".none").hidden = own.length === 0 || own.some((card) => !card.hidden);
  }
  const shown = cards.filter((card) => !card.hidden).length;
  document.getElementById("shown").textContent = `${shown} of ${cards.length} shown`;
}

bar.hidden = false;
bar.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  chosen[button.dataset.key] = button.dataset.value;
  for (const other of button.parentElement.querySelectorAll("button")) {
    other.setAttribute("aria-pressed", String(other === button));
  }
  apply();
});
apply();

const theme = document.getElementById("theme");
theme.hidden = false;
theme.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

const large = document.getElementById("large");
for (const button of document.querySelectorAll(".enlarge")) {
  button.addEventListener("click", () => {
    large.querySelector("div").replaceChildren(button.firstElementChild.cloneNode(true));
    large.showModal();
  });
}
large.addEventListener("click", (event) => {
  if (event.target === large) large.close();
});
