from typing import Any, Mapping, Optional, Union

__all__ = ["Profiler"]

_Text = Union[str, bytes]

class Profiler:
    def __init__(
        self,
        env: Optional[_Text] = ...,
        service: Optional[_Text] = ...,
        version: Optional[_Text] = ...,
        tags: Optional[Mapping[_Text, _Text]] = ...,
        url: Optional[str] = ...,
        **kwargs: Any,
    ) -> None: ...
    def start(self, stop_on_exit: bool = ..., profile_children: bool = ...) -> None: ...
    def stop(self, flush: bool = ...) -> None: ...
    @property
    def status(self) -> str: ...
