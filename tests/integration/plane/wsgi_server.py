"""Serves one WSGI application on loopback; runs in the control plane's own virtual environment.

Usage: wsgi_server.py NAME MODULE PORT THREADS [OPTION OF THE SERVICE...]
"""

import importlib
import os
import signal
import sys
import time
from typing import Any


def main() -> None:
    name, module, port, threads, *options = sys.argv[1:]
    # The services parse sys.argv as their own command line.
    sys.argv = [name, *options]
    # Waitress would finish what it has at hand; the plane's end need not wait for that.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    application = importlib.import_module(module).application
    import waitress  # type: ignore

    def told(environ: dict[str, Any], start_response: Any) -> Any:
        """Log each request, which the services leave to their web server."""
        about = [
            environ.get(key, "-") for key in ("REQUEST_METHOD", "PATH_INFO", "HTTP_X_OPENSTACK_REQUEST_ID")
        ]
        print("REQUEST", f"{time.time():.3f}", *about, environ.get("HTTP_USER_AGENT", "-"), flush=True)
        return application(environ, start_response)

    waitress.serve(
        told,
        host="127.0.0.1",
        port=int(port),
        threads=int(threads),
        ident=name,
        channel_timeout=120,
        clear_untrusted_proxy_headers=True,
    )


if __name__ == "__main__":
    main()
