"""Replicas that lead one after the other, at an API server with versions of objects and nothing behind it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client

from modelserve.canary.controller.leading import NAME, Election

Elect = Callable[[str], tuple[Election, threading.Event]]
LEASE = ("coordination.k8s.io", "leases", "modelserve", NAME)
LEASE_SECONDS = 60  # it is looked at every three
LONG_SECONDS = 30.0


@pytest.fixture
def elect(connection: client.ApiClient) -> Elect:
    """A replica that would lead, and what is set once it does."""

    def run(identity: str) -> tuple[Election, threading.Event]:
        leads = threading.Event()
        election = Election(connection, "modelserve", identity, lease_seconds=LEASE_SECONDS)
        election.run(leads.set)
        return election, leads

    return run


def test_a_lease_that_is_given_back_is_another_ones_at_once(elect: Elect, api_server: Any) -> None:
    first, first_leads = elect("first")
    assert first_leads.wait(LONG_SECONDS)
    _, second_leads = elect("second")
    assert not second_leads.wait(1)
    first.give_back()
    assert second_leads.wait(LONG_SECONDS)
    # The first one's election goes on, and takes nothing.
    time.sleep(5)
    assert api_server.find(*LEASE)["spec"]["holderIdentity"] == "second"


def test_who_does_not_lead_gives_nothing_back(elect: Elect, api_server: Any) -> None:
    _, first_leads = elect("first")
    assert first_leads.wait(LONG_SECONDS)
    second, second_leads = elect("second")
    second.give_back()
    assert api_server.find(*LEASE)["spec"]["holderIdentity"] == "first"
    assert not second_leads.is_set()


def test_a_lease_runs_out_where_the_cluster_is_away(
    elect: Elect, api_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    first, first_leads = elect("first")
    assert first_leads.wait(LONG_SECONDS)
    api_server.is_away = True
    first.give_back()
    assert "not given back" in caplog.text
    assert api_server.find(*LEASE)["spec"]["holderIdentity"] == "first"
