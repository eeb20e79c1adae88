"""The server of line_client.py with asyncio: coroutines that are suspended, a timer, a thread that computes."""

import asyncio
import itertools
import os
import threading
import time

PORT = 7000
STEP = 1000


class Server:
    """All that it knows is in memory."""

    def __init__(self) -> None:
        self.id = os.urandom(8).hex()
        self.shelf: dict[str, str] = {}
        self.waiting: dict[str, list[asyncio.Future[str]]] = {}
        self.connections = 0
        self.beats = 0
        self.sum = (0, 0)
        self.pile = [{"number": number, "square": [number * number]} for number in range(2000)]

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            self.beats += 1

    def start_sum(self, seed: int) -> None:
        self.sum = (0, seed)
        self.adding = object()
        threading.Thread(target=self.add_up, args=(self.adding, seed), daemon=True).start()

    def add_up(self, token: object, state: int) -> None:
        """In a thread, until another begins; others only ever see whole steps."""
        for rounds in itertools.count(STEP, STEP):
            for _ in range(STEP):
                state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
            if self.adding is not token:
                return
            self.sum = (rounds, state)
            time.sleep(0.005)

    async def answer(self, words: list[str]) -> str:
        match words:
            case ["set", key, value]:
                self.shelf[key] = value
                for future in self.waiting.pop(key, []):
                    future.set_result(value)
                return "done"
            case ["get", key]:
                return self.shelf.get(key, "none")
            case ["wait", key]:
                future = asyncio.get_running_loop().create_future()
                self.waiting.setdefault(key, []).append(future)
                return await future
            case ["status"]:
                waiting = sum(len(futures) for futures in self.waiting.values())
                return f"{os.getpid()} {self.id} {self.connections} {waiting}"
            case ["beats"]:
                return str(self.beats)
            case ["sum", seed]:
                self.start_sum(int(seed))
                return "begun"
            case ["rounds"]:
                return "{} {}".format(*self.sum)
            case ["churn"]:
                return f"{len(self.pile)} {sum(entry['square'][0] for entry in self.pile)}"
            case ["stop"]:
                self.beating.cancel()
                return "stopped"
        return "what?"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while line := await reader.readline():
            writer.write(f"{await self.answer(line.decode().split())}\n".encode())
            await writer.drain()
        self.connections -= 1
        writer.close()

    async def run(self) -> None:
        self.beating = asyncio.create_task(self.beat())
        server = await asyncio.start_server(self.handle, "127.0.0.1", PORT)
        async with server:
            await server.serve_forever()


asyncio.run(Server().run())
