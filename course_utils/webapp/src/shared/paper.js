// A paper to draw on: by mouse, finger, pen or keyboard.

const PEN = 44; // pixels, of 560: as thick as MNIST's digits are
const STEP = 14; // pixels that an arrow key moves the pen
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Make a paper of a canvas.
 *
 * @param {HTMLCanvasElement} paper
 * @param {object} listener
 * @param {() => void} listener.onStart a line is begun
 * @param {() => void} listener.onStroke something was drawn
 * @param {() => void} listener.onClear the paper is white again
 * @param {(isDown: boolean) => void} listener.onPen the keyboard's pen was put down or lifted
 */
export function makePaper(paper, { onStart, onStroke, onClear, onPen }) {
  const ink = paper.getContext("2d");
  let pen = null; // where the pen is down
  let middle = null; // half way from the place before, to which the curve is drawn
  let cursor = null; // where the keyboard's pen is, down or not
  let keyboardIsDown = false;

  function clear() {
    ink.fillStyle = "white";
    ink.fillRect(0, 0, paper.width, paper.height);
    pen = middle = cursor = null;
    keyboardIsDown = false;
    onClear();
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
    onStart();
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
      onStroke();
    });
  }

  paper.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const move = MOVES[event.key];
    cursor ??= { x: paper.width / 2, y: paper.height / 4 };
    if (event.key === " ") {
      keyboardIsDown = !keyboardIsDown;
      onPen(keyboardIsDown);
      if (keyboardIsDown) line(cursor, cursor);
      onStroke();
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
        onStroke();
      }
      cursor = next;
    } else return;
    event.preventDefault();
  });

  /** What is drawn, as a PNG. Not with toBlob, which waits up to a second for an idle moment. */
  function photograph() {
    const content = atob(paper.toDataURL("image/png").split(",")[1]);
    const bytes = Uint8Array.from(content, (char) => char.charCodeAt(0));
    return new Blob([bytes], { type: "image/png" });
  }

  /** Put a picture on the paper, as large as fits. @param {ImageBitmap} picture */
  function show(picture) {
    const factor = Math.min(paper.width / picture.width, paper.height / picture.height);
    const [width, height] = [picture.width * factor, picture.height * factor];
    ink.drawImage(picture, (paper.width - width) / 2, (paper.height - height) / 2, width, height);
  }

  return { clear, photograph, show };
}
