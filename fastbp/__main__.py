"""Run the command line: python -m fastbp."""

import sys

from fastbp.cli.main import main

sys.exit(main())
