"""A fake VTEM on the network: pymodbus's own Modbus TCP server before a `Terminal`.

Drivers and fakes share no code for the bytes: framing and function codes are pymodbus's, in the
role of the server here and of the client there.
"""

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any, cast

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from njf_sim.fakes.chambers import Chambers
from njf_sim.fakes.vtem_terminal import INPUTS, OUTPUTS, TIMEOUT, Terminal, TerminalFaults

_HOST = "127.0.0.1"
_PERIOD_S = 0.01  # air moves on this often; answers do not wait for it
_PATIENCE_S = 20.0
_DEVICE_ID = 1


class FakeVtem:
    """A terminal behind a TCP port of this computer, served by a thread.

    Attributes:
        port: host:port, known once it was started.
    """

    def __init__(self, chambers: Chambers, outputs: list[int]) -> None:
        """Feed `chambers` from the valves `outputs`, which count 2 slot + valve."""
        self.port = ""
        self._chambers, self._outputs = chambers, outputs
        self.terminal = Terminal(chambers, outputs)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="vtem", daemon=True)
        self._server: ModbusTcpServer | None = None
        self._clients: list[Any] = []
        self._air: asyncio.Task | None = None

    @property
    def faults(self) -> TerminalFaults:
        """What is wrong with the terminal."""
        return self.terminal.faults

    def start(self) -> None:
        """Power it."""
        self._thread.start()
        self._do(self._serve(0))

    def restart(self) -> None:
        """Switch its power off and on: connections and everything volatile are lost."""
        port = int(self.port.rpartition(":")[2])
        self._do(self._hang_up())
        self.terminal = Terminal(self._chambers, self._outputs)
        self._do(self._serve(port))

    def close(self) -> None:
        """Pull network and air; a connected client sees the end of its connection."""
        if self._thread.is_alive():
            self._do(self._hang_up())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        if not self._loop.is_closed():
            self._loop.close()
        self._chambers.burst()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)

    async def _serve(self, port: int) -> None:
        device = SimDevice(id=_DEVICE_ID, simdata=_memory(self.terminal), action=self._on_request)
        self._server = ModbusTcpServer(device, address=(_HOST, port))
        await self._server.serve_forever(background=True)
        assert isinstance(self._server.transport, asyncio.Server)
        self.port = f"{_HOST}:{self._server.transport.sockets[0].getsockname()[1]}"
        self._air = asyncio.create_task(self._let_time_pass())

    async def _hang_up(self) -> None:
        if self._air is not None:
            self._air.cancel()
        if self._server is not None:
            await self._server.shutdown()

    async def _let_time_pass(self) -> None:
        while True:
            self.terminal.update(time.monotonic())
            await asyncio.sleep(_PERIOD_S)

    async def _on_request(
        self,
        function_code: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Called by pymodbus before it reads or writes its memory."""
        faults, now_s = self.faults, time.monotonic()
        if faults.answer_delay_s:
            await asyncio.sleep(faults.answer_delay_s)
        if faults.exception:
            return ExcCodes(faults.exception)
        if values is not None and (refusal := _refusal_of_a_write(faults, address)):
            return refusal
        if address == TIMEOUT and faults.timeout_register == "missing":
            return ExcCodes.ILLEGAL_ADDRESS
        self.terminal.heard(now_s)
        if values is not None and not (address == TIMEOUT and faults.timeout_register == "ignored"):
            self.terminal.write(address, [int(value) for value in values], now_s)
        self.terminal.update(now_s)
        self._refresh(registers, start)
        if values is not None:  # what pymodbus writes after this is what was taken
            first = address - start
            cast(list[int], values)[:] = registers[first : first + count]
        return None

    def _refresh(self, registers: list[int], start: int) -> None:
        outputs, inputs = self.terminal.words()
        for address, words in (
            (OUTPUTS, outputs),
            (INPUTS, inputs),
            (TIMEOUT, [self.terminal.timeout_ms]),
        ):
            registers[address - start : address - start + len(words)] = words


def _refusal_of_a_write(faults: TerminalFaults, address: int) -> ExcCodes | None:
    if address in faults.refused:
        return ExcCodes.DEVICE_FAILURE
    if faults.busy_writes > 0:
        faults.busy_writes -= 1
        return ExcCodes.DEVICE_BUSY
    return None


def _memory(terminal: Terminal) -> list[SimData]:
    outputs, inputs = terminal.words()
    kind = DataType.REGISTERS
    return [
        SimData(OUTPUTS, values=list(outputs), datatype=kind),
        SimData(INPUTS, values=list(inputs), datatype=kind, readonly=True),
        SimData(TIMEOUT, values=0, datatype=kind),
    ]
