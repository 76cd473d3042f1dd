import os
import sys
import urllib.error
import urllib.request

try:
    urllib.request.urlopen(f"http://127.0.0.1:{os.environ['PORT']}/healthz", timeout=3)
except (urllib.error.URLError, TimeoutError) as error:
    sys.exit(f"unhealthy: {error}")
