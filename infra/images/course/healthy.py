"""Health checks of the course's image, which has no curl: exit status 0 if well, 1 if not.

healthy.py http://127.0.0.1:5001/health     it answers with 200
healthy.py /tmp/alive 30                    the file was touched within so many seconds
"""

from __future__ import annotations

import os
import sys
import time
import urllib.request


def main(argv: list[str]) -> int:
    what = argv[0]
    try:
        if what.startswith("http://"):
            with urllib.request.urlopen(what, timeout=4) as reply:
                return 0 if reply.status == 200 else 1
        return 0 if time.time() - os.stat(what).st_mtime < float(argv[1]) else 1
    except OSError as error:
        print(error)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
