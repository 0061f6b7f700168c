"""The air between two emulated Bluetooth controllers and the kernel (runs inside the guest, standard library only).

BlueZ's emulator hands a new advertisement to a scanning controller once, without an RSSI. This relay stands between the
emulator's controllers (its server socket) and ``/dev/vhci``; it repeats the last advertisement while the
controller scans, each time with another RSSI, as a radio would. The RSSI is pseudo-random and no evidence of anything.

Usage: ``radio.py SOCKET CONTROLLERS``
"""

from __future__ import annotations

import os
import random
import selectors
import socket
import sys

_COMMAND, _EVENT, _VENDOR = 0x01, 0x04, 0xFF
_LE_META, _ADVERTISING_REPORT = 0x3E, 0x02
_LE_SET_SCAN_ENABLE = (0x08 << 10 | 0x0C).to_bytes(2, "little")
_INTERVAL_S = 0.005


class Controller:
    """One controller: packets both ways, and the advertisement that is in the air."""

    def __init__(self, server: str) -> None:
        self.emulator = socket.socket(socket.AF_UNIX)
        self.emulator.connect(server)
        self.kernel = os.open("/dev/vhci", os.O_RDWR)
        os.write(self.kernel, bytes([_VENDOR, 0]))  # creates a primary controller
        self._received = bytearray()
        self._report = b""
        self._scanning = False

    def from_kernel(self) -> None:
        packet = os.read(self.kernel, 4096)
        if packet[0] == _VENDOR:  # the index of the new controller
            return
        if packet[0] == _COMMAND and packet[1:3] == _LE_SET_SCAN_ENABLE:
            self._scanning = packet[4] == 1
        self.emulator.sendall(packet)

    def from_emulator(self) -> None:
        received = self.emulator.recv(4096)
        if not received:
            sys.exit("the emulator has ended")  # its controllers are unplugged with this process
        self._received += received
        while (packet := self._next()) is not None:
            if packet[:2] == bytes([_EVENT, _LE_META]) and packet[3] == _ADVERTISING_REPORT:
                self._report = packet
            else:
                os.write(self.kernel, packet)

    def _next(self) -> bytes | None:
        """Take one whole packet from the stream: type, header with a length, payload."""
        if not self._received:
            return None
        head, width = (3, 1) if self._received[0] == _EVENT else (5, 2)
        length = head + int.from_bytes(self._received[head - width : head], "little")
        if len(self._received) < max(head, length):
            return None
        packet = bytes(self._received[:length])
        del self._received[:length]
        return packet

    def advertise(self) -> None:
        """Hand the last advertisement to the scanning controller again: the RSSI is a report's last byte."""
        if self._scanning and self._report:
            os.write(self.kernel, self._report[:-1] + bytes([256 - random.randint(40, 90)]))


def main(server: str, count: int) -> None:
    """Relay for ever."""
    controllers = [Controller(server) for _ in range(count)]
    selector = selectors.DefaultSelector()
    for controller in controllers:
        selector.register(controller.kernel, selectors.EVENT_READ, controller.from_kernel)
        selector.register(controller.emulator, selectors.EVENT_READ, controller.from_emulator)
    while True:
        ready = selector.select(_INTERVAL_S)
        for key, _ in ready:
            key.data()
        if not ready:
            for controller in controllers:
                controller.advertise()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
