"use strict";
const items = [...document.querySelectorAll(".item")];
const buttons = [...document.querySelectorAll("footer button")];
const reviewer = document.getElementById("reviewer");
const message = document.getElementById("message");
const reasons = document.getElementById("reasons");
const place = `medground-review-${document.body.dataset.page}`;
const answers = Object.create(null); // ids come from data
let at = -1;

function stored() {
  try {
    return JSON.parse(localStorage.getItem(place)) || {};
  } catch (error) {
    return {}; // some browsers keep nothing for a page from the disk
  }
}

function keep() {
  try {
    localStorage.setItem(place, JSON.stringify({ reviewer: reviewer.value, answers }));
  } catch (error) {
    message.textContent = "This browser keeps nothing for a page from the disk: download before you close it.";
  }
}

function said(answer) {
  return answer.verdict + (answer.reason ? ` (${answer.reason.replaceAll("_", " ")})` : "");
}

function paint() {
  const done = items.filter((item) => answers[item.dataset.id]).length;
  document.getElementById("bar").value = done;
  document.getElementById("progress").textContent = `${done} of ${items.length} judged`;
  items.forEach((item, index) => { item.hidden = index !== at; });
  const item = items[at];
  if (!item) return;
  const answer = answers[item.dataset.id];
  item.querySelector(".verdict").hidden = !answer;
  const own = item.querySelector(".own");
  own.hidden = !answer;
  own.textContent = answer ? `Your answer: ${said(answer)}${answer.later ? `; after seeing the verdict: ${answer.later}` : ""}` : "";
  for (const button of buttons) {
    const same = button.dataset.verdict === answer?.verdict && (button.dataset.reason || null) === answer?.reason;
    const chosen = Boolean(answer) && (same || (button.id === "reject" && answer.verdict === "reject"));
    button.classList.toggle("chosen", chosen);
  }
}

function openReasons(open) {
  reasons.hidden = !open;
  document.getElementById("reject").setAttribute("aria-expanded", String(open));
}

function judge(verdict, reason) {
  const item = items[at];
  if (!item) return;
  const before = answers[item.dataset.id];
  // The first answer was given without knowing the verdict: it stays. A later one is kept beside it.
  if (before) before.later = verdict === before.verdict ? null : verdict;
  else answers[item.dataset.id] = { verdict, reason: reason || null, later: null };
  openReasons(false);
  keep();
  paint();
}

function go(step) {
  const open = items.findIndex((item, index) => index > at && !answers[item.dataset.id]);
  const first = items.findIndex((item) => !answers[item.dataset.id]);
  const next = step ? at + step : open >= 0 ? open : first >= 0 ? first : at;
  at = Math.max(0, Math.min(items.length - 1, next));
  openReasons(false);
  paint();
  if (items[at]) items[at].querySelector("h2").focus({ preventScroll: true });
}

function toggleBoxes(button) {
  const shown = document.body.classList.toggle("unboxed");
  button.setAttribute("aria-pressed", String(!shown));
}

function download() {
  if (!reviewer.value || !reviewer.checkValidity()) {
    message.textContent = "Write your name first: small letters, digits and hyphens.";
    reviewer.focus();
    return;
  }
  message.textContent = "";
  const judged = items.filter((item) => answers[item.dataset.id]);
  const rows = judged.map((item) => ({ query_id: item.dataset.id, digest: item.dataset.digest, ...answers[item.dataset.id] }));
  const content = JSON.stringify({ page: document.body.dataset.page, reviewer: reviewer.value, answers: rows }, null, 1);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
  link.download = `review-${reviewer.value}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function press(button) {
  if (button.id === "reject") openReasons(true);
  else if (button.id === "boxes") toggleBoxes(button);
  else if (button.dataset.verdict) judge(button.dataset.verdict, button.dataset.reason);
  else go(Number(button.dataset.step));
}

document.querySelector("footer").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) press(button);
});
document.getElementById("download").addEventListener("click", download);
reviewer.addEventListener("change", keep);
document.addEventListener("keydown", (event) => {
  if (event.target === reviewer || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key === "d") download();
  const button = buttons.find((one) => one.dataset.key === key);
  if (!button || button.closest("[hidden]")) return;
  event.preventDefault();
  press(button);
});

const earlier = stored();
reviewer.value = earlier.reviewer || "";
Object.assign(answers, earlier.answers || {});
go(0);
