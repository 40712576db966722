"""The look of the course's HTML reports: one style sheet, and the characters that HTML forbids."""

import re

# What HTML does not allow, and halves of characters, which UTF-8 cannot write.
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")

STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --back: #ffffff; --soft: #57606a;
  --line: #d0d7de; --panel: #f6f8fa; --keep: #1a6334; --watch: #7a4d00; --retrain: #a40e26; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --back: #0d1117; --soft: #9da7b3;
  --line: #30363d; --panel: #161b22; --keep: #56d364; --watch: #e3b341; --retrain: #ff7b72; } }
body { margin: 0; background: var(--back); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 75rem; margin: auto; padding: 1rem; }
h1 { margin: 0; padding: 0.3rem 0 0.3rem 1rem; border-left: 0.5rem solid; line-height: 1.2; }
h2 { margin: 2rem 0 0.5rem; }
figure { margin: 0; } figcaption { margin-top: 0.5rem; }
p, dd, figcaption { color: var(--soft); }
.keep { color: var(--keep); } .watch { color: var(--watch); } .retrain { color: var(--retrain); }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 0.4rem; }
.scroll img { display: block; width: 100%; min-width: 56rem; height: auto; background: #fff; }
table { border-collapse: collapse; width: 100%; font-size: 0.875rem; }
th, td { padding: 0.35rem 0.5rem; border-top: 1px solid var(--line); text-align: left;
  vertical-align: top; overflow-wrap: normal; }
thead th { background: var(--panel); border-top: 0; white-space: nowrap; }
th[scope=row], td.note { overflow-wrap: anywhere; min-width: 8rem; }
td.note { min-width: 16rem; } td.word { white-space: nowrap; } .few { max-width: 36rem; }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
summary { cursor: pointer; padding: 0.5rem 0; }
dt { font-weight: 600; } dd { margin: 0 0 0.6rem; }
@media print { .scroll { overflow: visible; border: 0; } .scroll img { min-width: 0; }
  main { max-width: none; padding: 0; } table { font-size: 0.65rem; } tr, figure, li {
  break-inside: avoid; } th, td, td.note { min-width: 0; padding: 0.2rem; }
  td.word, thead th { white-space: normal; } th[scope=row] { min-width: 7em; }
  details::details-content { content-visibility: visible; block-size: auto; } }
"""
