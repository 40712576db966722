"""Draw the letters of notebook 11 into data/letters.zip: ``python tools/letters.py FOLDER``.

It was run once. FOLDER is empty or new. npm brings the typefaces into it, each in the package
``@fontsource/NAME`` in the version below. Each package states its licence, which is checked.

The zip has a folder of PNG files of 48 × 48 pixels and a CSV of labels for each part. The
collection has a character as often as the licence of the course's prose does in its text, at
least 12 and at most 240 times. The test part has each character once per typeface. No typeface is
in both parts.
"""

import csv
import io
import json
import random
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parents[1]
SEED = 11
SIZE_PIXELS = 48
SCALE = 4  # the letters are drawn four times as large, then made smaller
MIN_PER_CLASS, MAX_PER_CLASS = 12, 240  # pictures in the collection
COLORS = 16  # of a PNG
VERSION = "5.3.0"  # of all packages but these
VERSIONS = {"amaranth": "5.2.8", "source-code-pro": "5.3.1", "source-serif-4": "5.3.1"}
APACHE = {"permanent-marker", "special-elite"}  # all others: OFL-1.1
NAMES = """
abeezee abel abril-fatface alegreya aleo alfa-slab-one amaranth anonymous-pro anton archivo-black
arimo arvo asap atkinson-hyperlegible barlow bitter bree-serif cabin caladea cantarell cardo
catamaran caveat chivo comfortaa comic-neue cormorant-garamond courgette courier-prime cousine
crimson-text dm-sans dm-serif-display domine dosis eb-garamond exo-2 fira-sans fjalla-one fredoka
gelasio gentium-book-basic handlee heebo ibm-plex-serif inconsolata indie-flower inter
josefin-sans jost kalam kanit karla lato lexend libre-baskerville libre-franklin lilita-one
literata lobster-two lora manrope maven-pro merriweather montserrat neucha noto-sans noto-serif
nunito old-standard-tt oswald overpass oxygen passion-one patrick-hand patua-one permanent-marker
philosopher playfair-display poppins prata prompt pt-sans pt-serif quicksand raleway righteous
roboto rubik sansita source-code-pro source-serif-4 space-grotesk special-elite spectral
titillium-web varela-round vollkorn work-sans zilla-slab
"""
TYPEFACES = NAMES.split()
TEST_TYPEFACES = 20


def fetch(folder: Path) -> dict[str, tuple[str, str, list[Path]]]:
    """Install the packages; returns version, licence and font files of each typeface."""
    folder.mkdir(exist_ok=True)
    (folder / "package.json").write_text('{"private": true}')
    wanted = [f"@fontsource/{name}@{VERSIONS.get(name, VERSION)}" for name in TYPEFACES]
    npm = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *wanted]
    subprocess.run(npm, cwd=folder, check=True)
    found = {}
    for name in TYPEFACES:
        package = folder / "node_modules/@fontsource" / name
        about = json.loads((package / "package.json").read_text(encoding="utf-8"))
        assert about["license"] == ("Apache-2.0" if name in APACHE else "OFL-1.1"), name
        files = sorted(package.glob("files/*-latin-[47]00-normal.woff2"))  # regular and bold
        found[name] = about["version"], about["license"], files
    return found


def name_class(character: str) -> str:
    """A folder's name: some file systems take ``a`` and ``A`` for the same."""
    kind = "digit" if character.isdigit() else "lower" if character.islower() else "upper"
    return f"{kind}_{character}"


def count_characters() -> dict[str, int]:
    """How many pictures of each character the collection gets."""
    text = Counter((ROOT / "LICENSE-prose").read_text(encoding="utf-8"))
    largest = max(text[c] for c in ascii_lowercase)
    characters = digits + ascii_lowercase + ascii_uppercase
    return {c: max(MIN_PER_CLASS, round(MAX_PER_CLASS * text[c] / largest)) for c in characters}


def draw(character: str, font: Path, chance: random.Random) -> bytes:
    """A PNG of a character on its line: a ``c`` is smaller than a ``C``."""
    large = SIZE_PIXELS * SCALE
    type_ = ImageFont.truetype(str(font), round(large * chance.uniform(0.58, 0.68)))
    left, _, right, _ = type_.getbbox(character, anchor="ls")
    ink = Image.new("L", (large, large))
    across = (large - left - right) / 2 + large * chance.uniform(-0.04, 0.04)
    line = large * chance.uniform(0.68, 0.74)
    ImageDraw.Draw(ink).text((across, line), character, 255, font=type_, anchor="ls")
    ink = ink.rotate(chance.uniform(-5, 5), Image.Resampling.BICUBIC)
    ink = ink.resize((SIZE_PIXELS, SIZE_PIXELS), Image.Resampling.LANCZOS)
    while True:
        ground, color = ([chance.randrange(256) for _ in range(3)] for _ in range(2))
        if abs(sum(ground) - sum(color)) > 240:  # of 765; else nobody could read it
            break
    picture = Image.composite(
        Image.new("RGB", ink.size, tuple(color)), Image.new("RGB", ink.size, tuple(ground)), ink
    )
    file = io.BytesIO()
    picture.quantize(COLORS).save(file, "PNG", optimize=True)
    return file.getvalue()


def main(folder: Path) -> None:
    chance = random.Random(SEED)
    faces = fetch(folder)
    names = chance.sample(TYPEFACES, len(TYPEFACES))
    parts = {"test": names[:TEST_TYPEFACES], "collection": names[TEST_TYPEFACES:]}
    counts = count_characters()
    with zipfile.ZipFile(ROOT / "data/letters.zip", "w") as archive:

        def write(name: str, content: bytes | str) -> None:
            archive.writestr(zipfile.ZipInfo(name, (2026, 11, 30, 0, 0, 0)), content)

        def write_table(name: str, rows: list[tuple[str, ...]]) -> None:
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(rows)
            write(name, text.getvalue())

        for part, chosen in parts.items():
            pictures = []
            for character, count in counts.items():
                turns = range(TEST_TYPEFACES if part == "test" else count)
                order = chance.sample(chosen, len(chosen))
                pictures += [(character, order[turn % len(order)]) for turn in turns]
            chance.shuffle(pictures)
            rows = [("file", "label", "typeface")]
            for number, (character, face) in enumerate(pictures):
                file = f"{part}/{number:04d}.png"
                write(file, draw(character, chance.choice(faces[face][2]), chance))
                rows.append((file, name_class(character), face))
            write_table(f"{part}.csv", rows)
        about = [(name, *faces[name][:2]) for name in sorted(faces)]
        write_table("typefaces.csv", [("typeface", "version", "licence"), *about])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
