"""What is started, used in a `with` statement, and stopped at its end."""

from abc import ABC, abstractmethod
from typing import Self


class Stops(ABC):
    """Stopped when its `with` statement ends."""

    __slots__ = ()

    @abstractmethod
    def stop(self) -> None:
        """End it; harmless when done before."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
