"""Which exit code an error of ours ends a process with."""

from __future__ import annotations

import pytest

from maskpool import exits
from maskpool.errors import ConfigError, LeaseLost, MaskpoolError, NotFound, Unreachable


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("there is no batch 7"), exits.BAD_INPUT),
        (ConfigError("MASKPOOL_MODEL: no such model"), exits.BAD_INPUT),
        (Unreachable("Redis", "refused"), exits.UNREACHABLE),
        (LeaseLost("taken over"), exits.UNREACHABLE),
    ],
)
def test_bad_input_is_told_from_a_service_that_is_away(error: MaskpoolError, code: int) -> None:
    assert exits.exit_code(error) == code
