"""Runs inside the sandbox: sends HTTP requests to the container's port and prints the answers as JSON."""

import http.client
import json
import sys
import time

asked = json.loads(sys.argv[1])


def send(method, path, body):
    connection = http.client.HTTPConnection(asked["host"], asked["port"], timeout=5)
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
        reply = connection.getresponse()
        return [reply.status, reply.read(100_000).decode("utf-8", "replace")]
    except PermissionError:
        return [0, "forbidden"]
    except (OSError, http.client.HTTPException) as error:
        return [0, type(error).__name__]
    finally:
        connection.close()


deadline = time.monotonic() + asked["until"]
answers = []
for request in asked["requests"]:
    answer = send(*request)
    while not answers and answer[0] == 0 and answer[1] != "forbidden" and time.monotonic() < deadline:
        time.sleep(0.05)
        answer = send(*request)
    answers.append(answer)
print(json.dumps(answers))
