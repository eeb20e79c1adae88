"""The client of asyncio_server.py."""

from line_client import Lines

Lines(["/usr/bin/python3", "-EsSB", "bin/asyncio_server.py"]).serve()
