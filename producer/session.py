"""A client's connection to a relay: its stores, its queues, its ledger."""

import getpass
import socket
from dataclasses import dataclass

from voxrelay.relay.config import Config
from voxrelay.relay.connect import Stores, connect
from voxrelay.relay.dispatch import Dispatch
from voxrelay.relay.ledger import Ledger


@dataclass(frozen=True)
class Session:
    """What a client needs of a relay that is up."""

    config: Config
    stores: Stores
    dispatch: Dispatch

    @classmethod
    def open(cls, config: Config) -> "Session":
        """Connect to the Redis that ``config`` names.

        Raises:
            UnavailableError: no Redis answers.

        """
        stores = connect(config.redis)
        return cls(config, stores, Dispatch(stores, config))

    @property
    def ledger(self) -> Ledger:
        """The records of jobs."""
        return self.dispatch.ledger

    def close(self) -> None:
        """Let the connections go."""
        self.stores.close()


def client_name() -> str:
    """Name whoever submits, for limits per client: the user and the machine."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
