"""Ports: found free, kept across restarts, given up when somebody else has taken them."""

from __future__ import annotations

import socket

import pytest

from scripts.stack import HttpProbe, Part, ports
from scripts.stack.record import Record
from scripts.stack.selection import assign_ports, dependants


def _part(name: str, *needs: str) -> Part:
    return Part(
        name=name,
        command=lambda _: pytest.fail("nothing is started here"),
        probe=lambda _: HttpProbe("http://127.0.0.1:1/"),
        ports=("http",),
        needs=needs,
    )


_PARTS = {part.name: part for part in (_part("a"), _part("b", "a"), _part("c", "b"), _part("d"))}


def test_every_part_gets_a_free_port_of_its_own() -> None:
    """Nothing has moved when nothing was remembered."""
    known = Record()
    assert assign_ports(known, _PARTS) == set()
    assert len(set(known.ports.values())) == len(_PARTS)
    assert all(ports.is_free(port) for port in known.ports.values())


def test_remembered_port_is_kept_while_it_is_free() -> None:
    """An address stays what it was."""
    known = Record()
    assign_ports(known, _PARTS)
    before = dict(known.ports)
    assert assign_ports(known, _PARTS) == set()
    assert known.ports == before


def test_part_whose_port_was_taken_moves_and_its_dependants_follow() -> None:
    """Whoever needs the part must be started anew, others need not."""
    known = Record()
    assign_ports(known, _PARTS)
    with socket.socket() as squatter:
        # Free is also a port on which connections of a server that has ended linger.
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", known.ports["a.http"]))
        squatter.listen()
        taken = known.ports["a.http"]
        assert assign_ports(known, _PARTS) == {"a"}
    assert known.ports["a.http"] != taken
    assert dependants({"a"}, _PARTS) == {"b", "c"}
