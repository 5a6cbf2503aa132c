"""Run the command line: python -m fastbp."""

import sys

from fastbp.cli import main

sys.exit(main())
