"""Holding registers of one Modbus TCP device, with this project's errors.

The protocol itself is pymodbus's. It would open a lost connection again by itself, in the middle of
driving; a device that has restarted meanwhile has forgotten everything, so here a lost connection
stays lost until `open`. An answer that comes after its time is recognised by its number and passed
over.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pymodbus import ModbusException
from pymodbus.client import ModbusTcpClient
from pymodbus.pdu import ModbusPDU

from njf_control.drivers.address import device_address
from njf_control.drivers.base import NoAnswerError
from njf_perception.errors import ConfigError, DeviceNotConnectedError, NjfError

_LARGEST_PORT = 65_535
_BUSY = 6  # exception code: ask again later
_EXCEPTIONS = {
    1: "it does not know this function",
    2: "it has no such register; look at driver.registers and at the order of the modules",
    3: "it does not take this value; look at driver.registers and at the order of the modules",
    4: "it failed to do it; look at its lamps, and switch its power off and on",
    10: "its gateway has no path; look at driver.device_id",
    11: "nobody answers under this unit id; look at driver.device_id",
}
# What pymodbus would write to stderr for every missed answer is in our exceptions already.
logging.getLogger("pymodbus.logging").addHandler(logging.NullHandler())


class ModbusRefusedError(NjfError):
    """The device answered that it will not do what was asked."""


@dataclass
class ModbusStatistics:
    """Counts since the link was made."""

    requests: int = 0
    timeouts: int = 0
    refusals: int = 0


class ModbusLink:
    """Requests to one device. Not thread-safe: one owner."""

    def __init__(self, address: str, device_id: int, reply_timeout_s: float) -> None:
        """Remember the address, host:port or a symbolic link to it; `open` connects."""
        self.address = address
        self.statistics = ModbusStatistics()
        self._device_id = device_id
        self._reply_timeout_s = reply_timeout_s
        self._client: ModbusTcpClient | None = None

    def open(self) -> None:
        """Connect.

        Raises:
            ConfigError: the address is no host:port.
            DeviceNotConnectedError: nobody listens there.
        """
        self.close()
        host, port = _host_and_port(device_address(self.address))
        client = ModbusTcpClient(host, port=port, timeout=self._reply_timeout_s, retries=0)
        if not client.connect():
            raise DeviceNotConnectedError(
                f"nobody answers at {self.address}. Check the terminal's power and cable, its "
                "address (driver.host), and that this computer is in the same network: ping it."
            )
        self._client = client

    def close(self) -> None:
        """Disconnect; harmless when it is not connected."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def read(self, address: int, count: int) -> list[int]:
        """Unsigned values of `count` holding registers from `address` on.

        Raises:
            NoAnswerError: no answer in time, or the device is busy.
            ModbusRefusedError: the device refuses.
            DeviceNotConnectedError: there is no connection, or it was lost.
        """
        what = f"reading {count} register(s) from {address}"
        answer = self._ask(
            what,
            lambda client: client.read_holding_registers(
                address, count=count, device_id=self._device_id
            ),
        )
        if answer.function_code != 3 or len(answer.registers) != count:
            raise NoAnswerError(
                f"{self.address} answered {what} with something else ({answer}). "
                "Is it the configured terminal?"
            )
        return list(answer.registers)

    def write(self, address: int, values: Sequence[int]) -> None:
        """Write holding registers from `address` on, in one request.

        Raises:
            NoAnswerError, ModbusRefusedError, DeviceNotConnectedError: see `read`.
        """
        what = f"writing {len(values)} register(s) from {address}"
        answer = self._ask(
            what,
            lambda client: client.write_registers(address, list(values), device_id=self._device_id),
        )
        if answer.function_code != 16 or answer.address != address:
            raise NoAnswerError(
                f"{self.address} answered {what} with something else ({answer}). "
                "Is it the configured terminal?"
            )

    def _ask(self, what: str, request: Callable[[ModbusTcpClient], ModbusPDU]) -> ModbusPDU:
        client = self._client
        if client is None or not client.connected:
            raise DeviceNotConnectedError(
                f"there is no connection to {self.address}. Activate again."
            )
        self.statistics.requests += 1
        try:
            answer = request(client)
        except OSError:
            raise self._lost() from None
        except ModbusException as error:
            if not client.connected:
                raise self._lost() from None
            self.statistics.timeouts += 1
            raise NoAnswerError(
                f"{self.address} did not answer {what} within {self._reply_timeout_s:g} s "
                f"({error}). Check its cable and the network's load."
            ) from None
        if answer.isError():
            raise self._refusal(what, answer)
        return answer

    def _lost(self) -> DeviceNotConnectedError:
        self.close()
        return DeviceNotConnectedError(
            f"the connection to {self.address} was lost: the terminal closed it, restarted, or did "
            "not answer for too long. Check its power and cable, then activate again."
        )

    def _refusal(self, what: str, answer: ModbusPDU) -> NjfError:
        self.statistics.refusals += 1
        code = answer.exception_code
        if code == _BUSY:
            return NoAnswerError(f"{self.address} is too busy for {what}. Ask less often.")
        reason = _EXCEPTIONS.get(code, "unknown here; look it up in the device's manual")
        return ModbusRefusedError(
            f"{self.address} refuses {what} with Modbus exception {code}: {reason}."
        )


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > _LARGEST_PORT:
        raise ConfigError(
            f"'{address}' is no address of a terminal; expected host:port such as "
            "192.168.4.3:502. Correct driver.host and driver.port, or the parameter `port`."
        )
    return host, int(port)
