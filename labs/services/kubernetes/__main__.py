"""`python -m labs.services.kubernetes SOCKET DATA [SPEED]`: serve on the listening TCP socket with this number."""

from __future__ import annotations

import sys

from labs.services.kubernetes import main

sys.exit(main(sys.argv[1:]))
