"use strict";

// A click on a head sorts the columns, each with all its tests; a second one turns the order round.
const table = document.getElementById("tests");

function compare(a, b, key) {
  const [one, other] = [a.dataset[key], b.dataset[key]];
  return key === "column" ? one.localeCompare(other, "en", { numeric: true }) : one - other;
}

for (const button of table.querySelectorAll("button")) {
  const head = button.closest("th");
  const { key } = button.dataset;
  const first = ["effect", "low"].includes(key) ? "descending" : "ascending"; // the gravest on top
  const second = first === "ascending" ? "descending" : "ascending";
  button.addEventListener("click", () => {
    const order = head.ariaSort === first ? second : first;
    for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    head.ariaSort = order;
    const sign = order === "ascending" ? 1 : -1;
    table.append(...[...table.tBodies].sort((a, b) => sign * compare(a, b, key)));
  });
}
