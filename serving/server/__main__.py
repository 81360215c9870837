"""``python -m headrace.serving.server``."""

import sys

from headrace.serving.server.main import main

sys.exit(main(sys.argv[1:]))
