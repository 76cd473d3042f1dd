"""A serving process: asks the learner's `champion.decide` again and again, and says what came.

python3 reader.py ROWS.json SECONDS UNTIL_VERSION THREADS

Each thread ends when the version is there, or after so many seconds. A line of output is an answer that is new to its
thread, or an error, or a dot for the same again.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, os.getcwd())
from champion import decide

PAUSE_SECONDS = 0.1
rows = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
seconds, wanted, threads = float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])


def read(reader: int) -> None:
    began, last = time.monotonic(), None
    while True:
        try:
            answer = {"answer": decide(rows)}
        except NotImplementedError:
            os._exit(75)
        except BaseException as error:
            names = [kind.__name__ for kind in type(error).__mro__]
            answer = {"error": type(error).__name__, "kinds": names, "message": str(error)[:200]}
        line = "." if answer == last else json.dumps({**answer, "reader": reader}, default=str)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        last, found = answer, answer.get("answer")
        is_there = isinstance(found, dict) and found.get("version") == wanted
        if is_there or time.monotonic() - began >= seconds:
            break
        time.sleep(PAUSE_SECONDS)


others = [threading.Thread(target=read, args=(number,)) for number in range(1, threads)]
for other in others:
    other.start()
read(0)
for other in others:
    other.join()
