"""The exit codes of all commands that give a verdict, in one table.

0 says that nothing has to be done. 1 and 2 are errors, as in any command: a watchdog must not take
a mistyped option for a verdict.
"""

EXIT_CODES = {
    "keep": 0,
    "watch": 3,
    # Act, or it has been done.
    "retrain": 4,
    "promote": 4,
    "promoted": 4,
    # Too little to act on.
    "too few": 5,
    "wait for more": 5,
    "not better": 5,
    "not fit to serve": 5,
}
