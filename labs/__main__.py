"""`python -m labs` is `labs`."""

import sys

from labs.cli import main

sys.exit(main())
