"""A process that counts requests as the gateway does: ``counting_process.py PORT`` (0: any free one).

It prints its port, then reads lines of JSON ``{"service", "release", "ok", "failed", "seconds"}``, counts that many
requests that took so long, and answers each line with an empty one. It ends with its standard input.
"""

from __future__ import annotations

import json
import sys

from prometheus_client import Counter, Histogram, start_http_server

REQUESTS = Counter("adx_gateway_requests", "Requests.", ["service", "release", "code"])
DURATIONS = Histogram("adx_gateway_request_duration_seconds", "How long they took.", ["service", "release"])


def main() -> None:
    server, _ = start_http_server(int(sys.argv[1]), "127.0.0.1")
    print(server.server_port, flush=True)
    for line in sys.stdin:
        said = json.loads(line)
        labels = {"service": said["service"], "release": said["release"]}
        # Durations first: a scrape in between that has all requests, which is what tests wait for, has them, too.
        for _ in range(said["ok"] + said["failed"]):
            DURATIONS.labels(**labels).observe(said["seconds"])
        for code, count in (("200", said["ok"]), ("503", said["failed"])):
            if count:
                REQUESTS.labels(code=code, **labels).inc(count)
        print(flush=True)


if __name__ == "__main__":
    main()
