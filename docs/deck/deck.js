"use strict";
// Starts reveal.js, after the letters of each slide are as large as fits.
const LARGEST_PX = 36;
const LARGEST_BESIDE_PICTURE_PX = 28;
const SMALLEST_PX = 16;
// A wide table is broken into lines only where its letters would be smaller than that.
const SMALLEST_UNBROKEN_PX = 22;

const isInside = (box) => box.scrollWidth <= box.clientWidth && box.scrollHeight <= box.clientHeight;

const fits = (slide) => isInside(slide) && [...slide.querySelectorAll("pre, table")].every(isInside);

// Takes away the white at the sides of a picture.
const trimPicture = (image) => {
  const padding = 2 * parseFloat(getComputedStyle(image).paddingLeft);
  const width = image.clientWidth - padding;
  const height = image.clientHeight - padding;
  const scale = Math.min(width / image.naturalWidth, height / image.naturalHeight);
  image.style.flex = "none";
  image.style.minHeight = "0";
  image.style.width = `${image.naturalWidth * scale + padding}px`;
  image.style.height = `${image.naturalHeight * scale + padding}px`;
};

const fitSlide = (slide) => {
  slide.style.display = "flex";
  const largest = slide.querySelector("img") ? LARGEST_BESIDE_PICTURE_PX : LARGEST_PX;
  const fitDownTo = (smallest) => {
    for (let size = largest; size >= smallest; size--) {
      slide.style.fontSize = `${size}px`;
      if (fits(slide)) return true;
    }
    return false;
  };
  if (!fitDownTo(SMALLEST_UNBROKEN_PX)) {
    slide.classList.add("broken");
    fitDownTo(SMALLEST_PX);
  }
  slide.querySelectorAll(":scope > :not(aside) img").forEach(trimPicture);
  slide.style.display = "";
};

window.addEventListener("load", () => {
  const stacks = document.querySelectorAll(".slides > section");
  for (const stack of stacks) {
    stack.style.display = "block";
    stack.querySelectorAll("section").forEach(fitSlide);
    stack.style.display = "";
  }
  Reveal.initialize({
    width: 1280,
    height: 720,
    margin: 0,
    center: false,
    display: "flex",
    hash: true,
    slideNumber: "c/t",
    transition: "none",
    backgroundTransition: "none",
    plugins: [RevealNotes],
  });
});
