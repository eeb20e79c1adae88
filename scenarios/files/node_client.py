"""The client of node_server.js. The arguments are what goes before `node`."""

import sys

from line_client import Lines

Lines([*sys.argv[1:], "node", "--max-old-space-size=48", "bin/node_server.js"]).serve()
