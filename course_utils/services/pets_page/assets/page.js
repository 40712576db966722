// The page of the pets service: reads a photo, sends it to the back end, shows the answer.

import { askService, isShare, isText, Unreachable } from "../shared/ask.js";
import { makeClass } from "../shared/classes.js";

const UNSURE = 0.9; // a network of two classes that is below it is not much of an answer
const element = (id) => document.getElementById(id);
let turn = 0; // the latest photo; answers about earlier ones come too late

const rows = Object.fromEntries(["cat", "dog"].map((name) => [name, makeClass(name)]));
element("shares").append(...Object.values(rows).map(({ row }) => row));

/** Where the page sends photos: to its own server, or to the back end. */
async function findBackEnd() {
  const { ask } = await askService("service", "settings.json", (json) => isText(json?.ask));
  const address = new URL(ask, location.href);
  element("address").textContent = address.href;
  return address;
}
findBackEnd().catch(() => {}); // the first photo's answer says what is wrong

function readAsDataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error("This file cannot be read."));
    reader.readAsDataURL(file);
  });
}

function isAnswer(json) {
  const shares = json?.prediction ?? {};
  return Object.keys(shares).sort().join() === "cat,dog" && Object.values(shares).every(isShare);
}

async function ask(image) {
  const address = await findBackEnd();
  const options = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ image }),
  };
  const isOwn = address.origin === location.origin;
  const name = isOwn ? "service" : `back end at ${address.href}`;
  try {
    return (await askService(name, address.href, isAnswer, options)).prediction;
  } catch (error) {
    if (isOwn || !(error instanceof Unreachable)) throw error;
    // A browser does not tell a page why it keeps an answer back, but the front end asks, too.
    await askService("service", "readyz", (json) => json?.status === "ready");
    throw new Error(
      `The back end at ${address.href} is running, but this page is not allowed to read its answer. ` +
        "Either something between refuses the photo (a proxy, a tunnel’s warning page), or " +
        "the address leads elsewhere from this computer, or the back end does not welcome this " +
        `page (CORS): start it with COURSE_ORIGINS=${location.origin}.`,
    );
  }
}

function show(prediction = {}) {
  for (const [name, { row, show }] of Object.entries(rows)) {
    show(prediction[name]);
    row.classList.toggle("best", prediction[name] > 0.5);
  }
  element("doubt").hidden = !(Math.max(...Object.values(prediction)) < UNSURE) || !prediction.cat;
}

function say(what, fault = "") {
  element("state").textContent = what;
  element("problem").textContent = fault;
}

function showPhoto(image, name) {
  const photo = element("photo");
  const toggle = (isShown) => {
    photo.hidden = !isShown;
    element("prompt").hidden = isShown;
    element("stage").dataset.state = isShown ? "photo" : "empty";
  };
  photo.onerror = () => toggle(false); // what is no picture is not shown
  photo.src = image;
  photo.alt = `Your photo: ${name}`;
  toggle(true);
}

async function classify(file) {
  const mine = ++turn;
  show();
  say("Classifying …");
  try {
    const image = await readAsDataUrl(file);
    if (mine !== turn) return;
    showPhoto(image, file.name);
    const prediction = await ask(image);
    if (mine !== turn) return;
    show(prediction);
    const [name, share] = Object.entries(prediction).sort((a, b) => b[1] - a[1])[0];
    say(share < UNSURE ? `Not sure: rather a ${name}` : `The network’s answer: a ${name}`);
  } catch (error) {
    if (mine === turn) say("", error.message);
  }
}

element("file").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  target.value = ""; // so that the same photo can be chosen again
  if (file) classify(file);
});

function drag(isOver) {
  element("drop").hidden = !isOver;
  const isEmpty = element("photo").hidden;
  element("prompt").hidden = isOver || !isEmpty;
  element("stage").dataset.state = isOver ? "dragging" : isEmpty ? "empty" : "photo";
}

for (const event of ["dragenter", "dragover"]) {
  document.addEventListener(event, (dragged) => {
    dragged.preventDefault();
    drag(true);
  });
}
document.addEventListener("dragleave", ({ relatedTarget }) => relatedTarget || drag(false));
document.addEventListener("drop", (dropped) => {
  dropped.preventDefault();
  drag(false);
  const [file] = dropped.dataTransfer.files;
  if (file) classify(file);
});

say("The network’s answer");
