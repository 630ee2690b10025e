"""The Runway SDK: data types, decorators and `run()` for model scripts.

`setup`, `command` and `run` belong to one default `RunwayModel`; a script may make its own.
"""

from runway.__version__ import __version__ as __version__
from runway.data_types import *  # noqa: F403 - scripts reach every type, and the names that came with them, from here
from runway.model import RunwayModel

_default = RunwayModel()
setup = _default.setup
command = _default.command
run = _default.run
