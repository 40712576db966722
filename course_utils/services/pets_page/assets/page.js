"use strict";

// The page of the pets service: reads a photo, sends it to the back end, shows the answer.

const element = (id) => document.getElementById(id);
let turn = 0; // the latest photo; answers about earlier ones come too late

/** Where the page sends photos: to its own server, or to the back end. */
async function findBackEnd() {
  const { ask } = await askService("front end", "settings.json", (json) => isText(json?.ask));
  element("address").textContent = ask;
  return ask;
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
  const isOwn = new URL(address, location.href).origin === location.origin;
  const name = isOwn ? "front end" : `back end at ${address}`;
  try {
    return (await askService(name, address, isAnswer, options)).prediction;
  } catch (error) {
    if (isOwn || !(error instanceof Unreachable)) throw error;
    // A browser does not tell a page why it keeps an answer back, but the front end asks, too.
    await askService("front end", "readyz", (json) => json?.status === "ready");
    throw new Error(
      `The back end at ${address} is running, but this page is not allowed to read its answer. ` +
        "Either something between refuses the photo (a proxy, a tunnel’s warning page), or " +
        "the address leads elsewhere from this computer, or the back end does not welcome this " +
        `page (CORS): start it with COURSE_ORIGINS=${location.origin}.`,
    );
  }
}

function show(prediction) {
  const rows = Object.entries(prediction).map(([name, share]) => {
    const row = document.createElement("div");
    const term = document.createElement("dt");
    term.textContent = name;
    const bar = document.createElement("dd");
    const meter = document.createElement("meter");
    meter.value = share;
    meter.setAttribute("aria-label", name);
    bar.append(meter);
    const number = document.createElement("dd");
    number.textContent = `${(100 * share).toFixed(1)}%`;
    row.append(term, bar, number);
    return row;
  });
  element("result").querySelector("dl").replaceChildren(...rows);
  element("result").hidden = false;
  const [name] = Object.entries(prediction).sort((a, b) => b[1] - a[1])[0];
  element("state").textContent = `The network says: a ${name}.`;
}

async function classify(file) {
  const mine = ++turn;
  element("problem").textContent = "";
  element("result").hidden = true;
  element("state").textContent = "Looking …";
  try {
    const image = await readAsDataUrl(file);
    if (mine !== turn) return;
    const photo = element("photo");
    photo.onerror = () => (photo.hidden = true); // what is no picture is not shown
    photo.src = image;
    photo.alt = `Your photo: ${file.name}`;
    photo.hidden = false;
    const prediction = await ask(image);
    if (mine === turn) show(prediction);
  } catch (error) {
    if (mine !== turn) return;
    element("state").textContent = "";
    element("problem").textContent = error.message;
  }
}

element("file").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  target.value = ""; // so that the same photo can be chosen again
  if (file) classify(file);
});

const drop = element("drop");
for (const event of ["dragenter", "dragover"]) {
  document.addEventListener(event, (dragged) => {
    dragged.preventDefault();
    drop.classList.add("over");
  });
}
document.addEventListener("dragleave", () => drop.classList.remove("over"));
document.addEventListener("drop", (dropped) => {
  dropped.preventDefault();
  drop.classList.remove("over");
  const [file] = dropped.dataTransfer.files;
  if (file) classify(file);
});
