// Classes with their probabilities, as all pages show them.

const UNSURE = 0.8; // a likeliest class below it is not much of an answer

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

/**
 * A row for a list of classes, and how to show a probability in it; undefined shows none.
 *
 * @param {string} name
 * @returns {{row: HTMLElement, show(share?: number): void}}
 */
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

/**
 * A row for each class, and how to show their probabilities; undefined shows none.
 *
 * @param {string[]} names
 */
export function makeClasses(names) {
  const classes = names.map(makeClass);
  /** @param {number[]} [shares] */
  function show(shares) {
    const best = shares?.indexOf(Math.max(...shares));
    classes.forEach(({ row, show }, number) => {
      show(shares?.[number]);
      row.classList.toggle("best", number === best);
    });
  }
  return { rows: classes.map(({ row }) => row), show };
}

/**
 * "The network’s answer: 7", or which two it cannot tell apart.
 *
 * @param {string[]} names
 * @param {number[]} shares
 */
export function describeBest(names, shares) {
  const [best, second] = shares
    .map((share, number) => ({ share, name: names[number] }))
    .sort((a, b) => b.share - a.share);
  if (best.share >= UNSURE) return `The network’s answer: ${best.name}`;
  return `Not sure: a ${best.name}, or perhaps a ${second.name}`;
}
