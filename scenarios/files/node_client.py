"""The client of node_server.js."""

from line_client import Lines

# A ring of io_uring is what CRIU refuses to dump; libuv 1.45 to 1.47 makes one unless told not to.
Lines(["node", "--max-old-space-size=48", "bin/node_server.js"], {"UV_USE_IO_URING": "0"}).serve()
