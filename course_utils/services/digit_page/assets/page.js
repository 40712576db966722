"use strict";

const PEN = 22; // pixels, of 280: as thick as MNIST's digits are
const STEP = 7; // pixels that an arrow key moves the pen
const PAUSE = 250; // milliseconds after a stroke until the network is asked

const paper = document.getElementById("paper");
const state = document.getElementById("state");
const problem = document.getElementById("problem");
const shares = document.getElementById("shares");
const ink = paper.getContext("2d");

const rows = Array.from({ length: 10 }, (_, digit) => {
  const row = document.createElement("div");
  const name = document.createElement("dt");
  name.textContent = digit;
  const meter = document.createElement("meter");
  meter.setAttribute("aria-label", `Probability of a ${digit}`);
  const bar = document.createElement("dd");
  bar.append(meter);
  const percent = document.createElement("dd");
  percent.textContent = "–";
  row.append(name, bar, percent);
  shares.append(row);
  return { row, meter, percent };
});

let waiting = 0; // the timer until the next question
let question = null; // the one that is under way

function show(probabilities) {
  const best = probabilities.indexOf(Math.max(...probabilities));
  rows.forEach(({ row, meter, percent }, digit) => {
    const share = probabilities[digit] ?? 0;
    meter.value = share;
    percent.textContent = probabilities.length ? `${(100 * share).toFixed(1)} %` : "–";
    row.classList.toggle("best", digit === best);
  });
}

function say(what, fault = "") {
  state.textContent = what;
  problem.textContent = fault;
}

function forget() {
  clearTimeout(waiting);
  waiting = 0;
  question?.abort();
  question = null;
}

function isAnswer(json) {
  const { digit, probabilities } = json ?? {};
  return (
    isText(digit) &&
    /^[0-9]$/.test(digit) &&
    Array.isArray(probabilities) &&
    probabilities.length === rows.length &&
    probabilities.every(isShare)
  );
}

async function ask(picture) {
  forget();
  const mine = (question = new AbortController());
  const form = new FormData();
  form.append("file", picture, "digit");
  try {
    const options = { method: "POST", body: form, signal: mine.signal };
    const answer = await askService("service", "api/digit", isAnswer, options);
    if (mine.signal.aborted) return;
    show(answer.probabilities);
    say(`The network reads ${answer.digit}.`);
  } catch (error) {
    if (mine.signal.aborted) return;
    show([]);
    say("", error.message);
  }
}

// Not with toBlob, which waits for an idle moment of the browser: for up to a second.
function photograph() {
  const content = atob(paper.toDataURL("image/png").split(",")[1]);
  return new Blob([Uint8Array.from(content, (char) => char.charCodeAt(0))], { type: "image/png" });
}

function askSoon() {
  forget();
  waiting = setTimeout(() => ask(photograph()), PAUSE);
}

// Drawing

let pen = null; // where the pen is down
let cursor = null; // where the keyboard's pen is, down or not
let keyboardIsDown = false;

function clear() {
  forget();
  ink.fillStyle = "white";
  ink.fillRect(0, 0, paper.width, paper.height);
  pen = cursor = null;
  keyboardIsDown = false;
  show([]);
  say("Nothing is drawn yet.");
}

function line(from, to) {
  ink.strokeStyle = "black";
  ink.lineWidth = PEN;
  ink.lineCap = ink.lineJoin = "round";
  ink.beginPath();
  ink.moveTo(from.x, from.y);
  ink.lineTo(to.x, to.y);
  ink.stroke();
}

function place(event) {
  const box = paper.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left - 2, event.clientY - box.top - 2]; // without its border
  return { x: (x * paper.width) / (box.width - 4), y: (y * paper.height) / (box.height - 4) };
}

paper.addEventListener("pointerdown", (event) => {
  if (!event.isPrimary || event.button !== 0) return;
  forget();
  paper.setPointerCapture(event.pointerId);
  pen = place(event);
  line(pen, pen);
});

paper.addEventListener("pointermove", (event) => {
  if (!pen || !event.isPrimary) return;
  const events = event.getCoalescedEvents?.() ?? [];
  for (const each of events.length ? events : [event]) {
    const next = place(each);
    line(pen, next);
    pen = next;
  }
});

for (const end of ["pointerup", "pointercancel"]) {
  paper.addEventListener(end, (event) => {
    if (!pen || !event.isPrimary) return;
    pen = null;
    askSoon();
  });
}

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

paper.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const move = MOVES[event.key];
  cursor ??= { x: paper.width / 2, y: paper.height / 4 };
  if (event.key === " ") {
    keyboardIsDown = !keyboardIsDown;
    say(keyboardIsDown ? "The pen is down." : "The pen is up.");
    if (keyboardIsDown) line(cursor, cursor);
    askSoon();
  } else if (event.key === "Backspace" || event.key === "Delete") {
    clear();
  } else if (move) {
    const inside = (value, limit) => Math.min(Math.max(value, 0), limit);
    const next = {
      x: inside(cursor.x + STEP * move[0], paper.width),
      y: inside(cursor.y + STEP * move[1], paper.height),
    };
    if (keyboardIsDown) {
      line(cursor, next);
      askSoon();
    }
    cursor = next;
  } else return;
  event.preventDefault();
});

document.getElementById("clear").addEventListener("click", clear);

document.getElementById("file").addEventListener("change", async (event) => {
  const [photo] = event.target.files;
  event.target.value = ""; // so that the same file can be sent again
  if (!photo) return;
  clear();
  say("Reading the photo …");
  try {
    const picture = await createImageBitmap(photo);
    const factor = Math.min(paper.width / picture.width, paper.height / picture.height);
    const [width, height] = [picture.width * factor, picture.height * factor];
    ink.drawImage(picture, (paper.width - width) / 2, (paper.height - height) / 2, width, height);
  } catch {
    // The service will say what is wrong with it.
  }
  ask(photo);
});

clear();
