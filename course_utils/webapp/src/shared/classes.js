// Classes with their probabilities, as all pages show them.

const percentages = new Intl.NumberFormat("en", {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

/**
 * 0.9534 is "95.3 %"; only nothing is "0.0 %", and only certainty "100.0 %".
 *
 * @param {number} share
 */
export function percent(share) {
  if (share > 0 && share < 0.0005) return "under 0.1\u00a0%";
  if (share < 1 && share >= 0.9995) return "over 99.9\u00a0%";
  return `${percentages.format(100 * share)}\u00a0%`;
}

/** A row for a list of classes, and how to show a probability in it; undefined shows none. */
export function makeClass(name) {
  const [row, term, number, bar] = ["li", "span", "span", "span"].map((tag) =>
    document.createElement(tag),
  );
  term.className = "name";
  term.textContent = name;
  number.className = "share";
  bar.className = "bar";
  bar.setAttribute("aria-hidden", "true");
  row.append(term, " ", number, bar);
  function show(share) {
    number.textContent = share === undefined ? "–" : percent(share);
    row.style.setProperty("--share", share ?? 0);
  }
  show(undefined);
  return { row, show };
}
