// The page of the MPG service: a slider for each feature that the service's own document names.

import { askService } from "../shared/ask.js";
import { makeSlider } from "../shared/sliders.js";

const PAUSE_MS = 80; // after a slider has moved, until the network is asked

const form = document.getElementById("sliders");
const miles = document.getElementById("mpg");
const problem = document.getElementById("problem");
const status = document.querySelector("[role=status]");
const [curl, python] = document.querySelectorAll("pre");
const url = new URL("api/mpg", location.href).href;
const sliders = []; // one for each feature

let waiting = 0; // the timer until the next request
let request = new AbortController();

const isDocument = (json) =>
  typeof json?.paths?.["/api/mpg"]?.post?.requestBody?.content?.["application/json"]?.schema
    ?.properties === "object";

async function start() {
  const found = await askService("service", "openapi.json", isDocument);
  const { schema, example: car = {} } = found.paths["/api/mpg"].post.requestBody.content["application/json"];
  for (const [name, feature] of Object.entries(schema.properties)) {
    sliders.push(makeSlider(name, feature, car[name]));
  }
  form.append(...sliders.map(({ row }) => row));
  form.addEventListener("input", askSoon);
  askSoon();
}

const readCar = () => Object.fromEntries(sliders.map(({ name, read }) => [name, read()]));

function showRequest(car) {
  const json = JSON.stringify(car, null, 1).replace(/\n */g, " ");
  curl.textContent = `curl ${url} -H "Content-Type: application/json" -d '${json}'`;
  const lines = Object.entries(car).map(([name, value]) => `    "${name}": ${value},\n`);
  python.textContent = `import requests\n\ncar = {\n${lines.join("")}}\nresponse = requests.post("${url}", json=car, timeout=10)\nprint(response.json())`;
}

function askSoon() {
  const car = readCar();
  showRequest(car);
  clearTimeout(waiting);
  waiting = setTimeout(() => ask(car), PAUSE_MS);
}

async function ask(car) {
  request.abort();
  const mine = (request = new AbortController());
  const headers = { "Content-Type": "application/json" };
  const options = { method: "POST", headers, body: JSON.stringify(car), signal: mine.signal };
  try {
    const answer = await askService("service", url, (json) => Number.isFinite(json?.mpg), options);
    if (mine.signal.aborted) return;
    miles.textContent = answer.mpg.toFixed(1);
    problem.textContent = "";
  } catch (error) {
    if (mine.signal.aborted) return;
    miles.textContent = "–";
    problem.textContent = error.message;
  }
}

for (const button of document.querySelectorAll(".code button")) {
  const code = button.closest(".code").querySelector("pre");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      status.textContent = "Copied.";
      button.firstChild.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code); // where the browser lends no clipboard: to copy by key
      status.textContent = "Selected.";
    }
    setTimeout(() => (button.firstChild.textContent = "Copy"), 2000);
  });
}

start().catch((error) => (problem.textContent = error.message));
