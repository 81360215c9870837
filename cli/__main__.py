"""``python -m headrace.cli``: the command, where its script is not on PATH."""

from headrace.cli.main import main

main()
