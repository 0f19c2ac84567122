"""What stands for a host's tasks: answers HTTP on many ports, or takes connections and never answers.

answering.py STATUS PORT…, where a STATUS of 0 is never told. It says `up` when all ports are open.
"""

from __future__ import annotations

import asyncio
import sys


async def main(status: int, ports: list[int]) -> None:
    """Until it is ended."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if line == b"\r\n" and status:
                writer.write(b"HTTP/1.1 %d It\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
                break
        writer.close()

    for port in ports:
        await asyncio.start_server(answer, port=port)
    sys.stdout.write("up\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


asyncio.run(main(int(sys.argv[1]), [int(each) for each in sys.argv[2:]]))
