// A slider for each number that a network takes.

/**
 * A slider, with its value beside it.
 *
 * @param {string} name
 * @param {{type: string, minimum: number, maximum: number, description?: string}} field
 * @param {number} [value] at first; without it the middle of the range
 * @param {boolean} [isExact] whether the value can be typed, too, also outside the range
 * @returns {{name: string, row: HTMLElement, read(): number, findFault(): string}}
 */
export function makeSlider(name, field, value, isExact = false) {
  const { type, minimum, maximum, description = "" } = field;
  const [row, term, about, slider, note] = ["div", "span", "small", "input", "small"].map((tag) =>
    document.createElement(tag),
  );
  const number = document.createElement(isExact ? "input" : "span");
  term.textContent = name;
  number.className = "value";
  about.textContent = description;
  about.id = `about-${name}`;
  Object.assign(slider, { name, type: "range", min: minimum, max: maximum });
  // From the lowest value on, steps of whole numbers, or of tenths where the range is short.
  slider.step = type === "integer" || maximum - minimum > 50 ? 1 : 0.1;
  slider.value = value ?? (minimum + maximum) / 2;
  slider.setAttribute("aria-label", name);
  slider.setAttribute("aria-describedby", about.id);
  row.append(term, number, about, slider);
  const read = () => (isExact ? number.valueAsNumber : slider.valueAsNumber);

  /** What is wrong with the value, as the services say it; "" where nothing is. */
  function findFault() {
    const allowed = `${type === "integer" ? "an integer" : "a number"} from ${minimum} to ${maximum}`;
    const found = read();
    if (Number.isNaN(found)) return `${name}: enter ${allowed}.`;
    const fits = found >= minimum && found <= maximum && (type !== "integer" || Number.isInteger(found));
    return fits ? "" : `${name}: ${found} is not ${allowed}.`;
  }

  function mark() {
    const fault = findFault();
    note.textContent = fault;
    note.hidden = !fault;
    number.setAttribute("aria-invalid", String(Boolean(fault)));
  }

  if (isExact) {
    Object.assign(number, { type: "number", step: "any", value: value ?? slider.value });
    number.setAttribute("aria-label", `${name}, exact value`);
    note.id = `fault-${name}`;
    note.className = "fault";
    number.setAttribute("aria-describedby", note.id);
    row.append(note);
    mark();
    number.addEventListener("input", () => (slider.value = number.value));
    slider.addEventListener("input", () => (number.value = slider.value));
    row.addEventListener("input", mark); // after one of the two above
  } else {
    const show = () => (number.textContent = slider.valueAsNumber.toLocaleString("en"));
    slider.addEventListener("input", show);
    show();
  }
  return { name, row, read, findFault };
}
