// The page of the digit service: a paper to draw on, and the network's answer as it is drawn.

import { askService, isShare, isText } from "../shared/ask.js";
import { describeBest, makeClasses } from "../shared/classes.js";
import { makePaper } from "../shared/paper.js";

const PAUSE_MS = 250; // after a stroke until the network is asked
const DIGITS = [..."0123456789"];

const element = (id) => document.getElementById(id);
const classes = makeClasses(DIGITS);
element("shares").append(...classes.rows);

let waiting = 0; // the timer until the next request
let request = null; // the one that is under way

function show({ digit, probabilities, picture } = {}) {
  classes.show(probabilities);
  element("digit").textContent = digit ?? "";
  if (picture) element("seen").src = picture;
  element("answer").hidden = !picture;
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
  const { digit, probabilities, picture } = json ?? {};
  return (
    isText(digit) &&
    isText(picture) &&
    /^[0-9]$/.test(digit) &&
    Array.isArray(probabilities) &&
    probabilities.length === DIGITS.length &&
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
    say(describeBest(DIGITS, answer.probabilities));
  } catch (error) {
    if (mine.signal.aborted) return;
    show();
    say("", error.message);
  }
}

function askSoon() {
  forget();
  waiting = setTimeout(() => ask(paper.photograph()), PAUSE_MS);
}

const paper = makePaper(element("paper"), {
  onStart: forget,
  onStroke: askSoon,
  onClear() {
    forget();
    show();
    say("Nothing is drawn yet.");
  },
  onPen: (isDown) => say(isDown ? "The pen is down." : "The pen is up."),
});

element("clear").addEventListener("click", paper.clear);

element("file").addEventListener("change", async (event) => {
  const [photo] = event.target.files;
  event.target.value = ""; // so that the same file can be sent again
  if (!photo) return;
  paper.clear();
  say("Reading the photo …");
  try {
    paper.show(await createImageBitmap(photo));
  } catch {
    // The service will say what is wrong with it.
  }
  ask(photo);
});

paper.clear();
