"""What runs a job: an :class:`Instance` answers the calls of the contract over blocks of bytes.

Nothing here knows WebAssembly. The component binds an instance to the exports of the contract; the test kit runs the
same instance natively. A block is decoded column by column, all its records go through one operator of a chain before
the next one, and what leaves the chain becomes the columns of a block again.
"""

from .call import Call, Host, Level, current
from .deciding import TriggerEvent
from .instance import Instance
from .outcome import Failure, Moment, Outcome, TimerAction, TimerOp

__all__ = ["Call", "Failure", "Host", "Instance", "Level", "Moment", "Outcome", "TimerAction", "TimerOp", "TriggerEvent", "current"]
