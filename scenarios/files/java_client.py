"""Compiles LinesServer.java, starts it in a Java virtual machine and is its client."""

import os

from line_client import Lines
from peers import settle, start
from witness import Patience, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from witness import Check

# The runtime of a JRE has the compiler's modules, only the program javac is not in the package.
COMPILE = [
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-m",
    "jdk.compiler/com.sun.tools.javac.Main",
]
RUN = [
    "-Xms32m",
    "-Xmx32m",
    "-XX:+UseParallelGC",
    "-XX:ParallelGCThreads=3",
    # a file in /tmp, which does not travel
    "-XX:-UsePerfData",
    "-Xlog:gc:file=gc.log::filecount=0",
    "-XX:+PrintCompilation",
]


# One emulated processor has to do the loop, the collections and the answers.
Patience.seconds *= 3


class Java(Lines):
    """What is special about it: compiled code, collections."""

    def __init__(self) -> None:
        if not os.path.exists("classes"):  # noqa: PTH110
            made = start(
                ["java", *COMPILE, "-proc:none", "-d", "classes", "bin/LinesServer.java"], "javac.log"
            )
            if os.waitpid(made, 0)[1]:
                raise RuntimeError("LinesServer.java does not compile, see javac.log")
        super().__init__(["java", *RUN, "-cp", "classes", "LinesServer"])

    def begin(self) -> None:
        super().begin()
        settle("the loop is not compiled", self.is_compiled)

    def is_compiled(self) -> bool:
        """Whether the best compiler (level 4) has made code of the loop while it ran (%)."""
        lines = read("server.log").split(b"\n")
        return any(b"% " in line and b" 4 " in line and b"LinesServer::addUp" in line for line in lines)

    def collections(self) -> int:
        """How often all three threads of the collector have worked: its log is a file that the machine has open."""
        return read("gc.log").count(b"Pause Full")

    def describe(self) -> dict[str, object]:
        return {**super().describe(), "collections": self.collections()}

    def damages(self) -> "dict[str, Callable[[], object]]":
        return {**super().damages(), "collected": self.collect}

    def collect(self) -> None:
        before = self.collections()
        self.asking.ask("collect")
        settle("no collection", lambda: self.collections() > before)

    def verify(self) -> "Iterator[Check]":
        collections, churn = self.collections(), self.asking.ask("churn")
        yield from super().verify()
        yield "collector: does not answer", self.asking.ask("collect") == "collected"
        yield "collector: has not collected", any(self.collections() > collections for _ in Patience.naps())
        yield "objects: not what they were before a collection", self.asking.ask("churn") == churn


Java().serve()
