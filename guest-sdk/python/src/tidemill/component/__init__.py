"""The component: binds an instance to the exports of the contract and to the host's imports.

Only a WebAssembly build imports this package, by the module that ``tidemill build`` makes. Importing it replaces standard
output, so it comes before the job's own code.
"""

from . import sandbox

sandbox.redirect()

from .exports import Operators, load  # noqa: E402

__all__ = ["Operators", "load"]
