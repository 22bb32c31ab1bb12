"""The test kit: runs a process function, one operator, or a whole job under pytest.

There is no cluster and no clock: a test pushes records and watermarks and looks at what comes out. The code under test
goes through the same blocks, slots and timers as in a component; windows, timers and the aggregates of the host are
played by a small, slow and simple host of the kit::

    from tidemill.testing import JobTest

    def test_a_window_is_averaged_once_event_time_has_passed_it() -> None:
        test = JobTest(averages)
        test.push("readings", Reading("cellar", 20.0, 1_000))
        test.push("readings", Reading("cellar", 22.0, 9_999))
        assert test.sink("averages", Average) == []
        test.finish()
        assert test.sink("averages", Average) == [Average("cellar", 21.0, 10_000)]
"""

from .generators import WatermarkTest
from .operators import OperatorTest, ProcessTest
from .whole import JobTest

__all__ = ["JobTest", "OperatorTest", "ProcessTest", "WatermarkTest"]
