// The page of the digit service: a paper to draw on, and the network's answer as it is drawn.

import { askService, isShare, isText } from "../shared/ask.js";
import { makeClass } from "../shared/classes.js";

const PEN = 44; // pixels, of 560: as thick as MNIST's digits are
const STEP = 14; // pixels that an arrow key moves the pen
const PAUSE_MS = 250; // after a stroke until the network is asked

const element = (id) => document.getElementById(id);
const paper = element("paper");
const ink = paper.getContext("2d");
const rows = Array.from({ length: 10 }, (_, digit) => makeClass(digit));
element("shares").append(...rows.map(({ row }) => row));

let waiting = 0; // the timer until the next request
let request = null; // the one that is under way

function show({ digit, probabilities = [], picture } = {}) {
  const best = Number(digit ?? NaN);
  rows.forEach(({ row, show }, number) => {
    show(probabilities[number]);
    row.classList.toggle("best", number === best);
  });
  element("digit").textContent = digit ?? "";
  if (picture) element("seen").src = picture;
  element("answer").hidden = !picture;
}

/** "The network’s answer: 7", or which digits it cannot tell apart. */
function describe({ digit, probabilities, unsure }) {
  if (!unsure) return `The network’s answer: ${digit}`;
  const second = probabilities.map((share, number) => [share, number]).sort(([a], [b]) => b - a)[1];
  return `Not sure: a ${digit}, or perhaps a ${second[1]}`;
}

function say(what, fault = "") {
  element("state").textContent = what;
  element("problem").textContent = fault;
}

function forget() {
  clearTimeout(waiting);
  waiting = 0;
  request?.abort();
  request = null;
}

function isAnswer(json) {
  const { digit, probabilities, unsure, picture } = json ?? {};
  return (
    isText(digit) &&
    isText(picture) &&
    typeof unsure === "boolean" &&
    /^[0-9]$/.test(digit) &&
    Array.isArray(probabilities) &&
    probabilities.length === rows.length &&
    probabilities.every(isShare)
  );
}

async function ask(picture) {
  forget();
  const mine = (request = new AbortController());
  const form = new FormData();
  form.append("file", picture, "digit");
  try {
    const options = { method: "POST", body: form, signal: mine.signal };
    const answer = await askService("service", "api/digit?picture=1", isAnswer, options);
    if (mine.signal.aborted) return;
    show(answer);
    say(describe(answer));
  } catch (error) {
    if (mine.signal.aborted) return;
    show();
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
  waiting = setTimeout(() => ask(photograph()), PAUSE_MS);
}

// Drawing

let pen = null; // where the pen is down
let middle = null; // half way from the place before, to which the curve is drawn
let cursor = null; // where the keyboard's pen is, down or not
let keyboardIsDown = false;

function clear() {
  forget();
  ink.fillStyle = "white";
  ink.fillRect(0, 0, paper.width, paper.height);
  pen = middle = cursor = null;
  keyboardIsDown = false;
  show();
  say("Nothing is drawn yet.");
}

/** Draw from one place to another, in a curve that bends towards a third. */
function line(from, to, bend = to) {
  ink.strokeStyle = "black";
  ink.lineWidth = PEN;
  ink.lineCap = ink.lineJoin = "round";
  ink.beginPath();
  ink.moveTo(from.x, from.y);
  ink.quadraticCurveTo(bend.x, bend.y, to.x, to.y);
  ink.stroke();
}

/** Smooth: from the middle of one step to the middle of the next, round the place between. */
function drawTo(next) {
  const half = { x: (pen.x + next.x) / 2, y: (pen.y + next.y) / 2 };
  line(middle, half, pen);
  [pen, middle] = [next, half];
}

function place(event) {
  const box = paper.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  return { x: (x * paper.width) / box.width, y: (y * paper.height) / box.height };
}

paper.addEventListener("pointerdown", (event) => {
  if (!event.isPrimary || event.button !== 0) return;
  forget();
  paper.setPointerCapture(event.pointerId);
  pen = middle = place(event);
  line(pen, pen);
});

paper.addEventListener("pointermove", (event) => {
  if (!pen || !event.isPrimary) return;
  const events = event.getCoalescedEvents?.() ?? [];
  for (const each of events.length ? events : [event]) drawTo(place(each));
});

for (const end of ["pointerup", "pointercancel"]) {
  paper.addEventListener(end, (event) => {
    if (!pen || !event.isPrimary) return;
    line(middle, pen);
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

element("clear").addEventListener("click", clear);

element("file").addEventListener("change", async (event) => {
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
