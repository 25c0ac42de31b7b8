"""What becomes of a failed build, by error and stage."""

import pytest

from computed import errors
from computed.steps.build_verdict import Stage, Verdict, judge


def unexpected(cls):
    return cls(expected={"task_state": ["spawning"]}, actual={"task_state": None}, instance_uuid="u")


ANY = list(Stage)
AFTER_BEGIN = [stage for stage in Stage if stage is not Stage.BEGIN]
TRIED_ELSEWHERE = [Stage.CLAIM, Stage.NETWORK, Stage.SPAWN]
HERE_ONLY = [Stage.BEGIN, Stage.DISKS, Stage.FINISH]


@pytest.mark.parametrize(
    ("error", "stages", "verdict"),
    [
        (errors.InstanceNotFound(instance_id="u"), ANY, Verdict.GONE),
        (unexpected(errors.UnexpectedDeletingTaskStateError), ANY, Verdict.GONE),
        (unexpected(errors.UnexpectedTaskStateError), [Stage.BEGIN], Verdict.STALE),
        (unexpected(errors.UnexpectedTaskStateError), AFTER_BEGIN, Verdict.ABORT),
        (errors.ComputeResourcesUnavailable(reason="r"), ANY, Verdict.RESCHEDULE),
        (errors.GroupAffinityViolation(instance_uuid="u", policy="p"), ANY, Verdict.RESCHEDULE_BY_POLICY),
        (errors.BuildAbortException(instance_uuid="u", reason="r"), ANY, Verdict.ABORT),
        (errors.NoMoreFixedIps(net="n"), ANY, Verdict.ABORT),
        (errors.VirtualInterfaceCreateException(), ANY, Verdict.ABORT),
        (errors.ImageUnacceptable(image_id="i", reason="r"), ANY, Verdict.ABORT),
        (errors.InvalidInput(reason="r"), ANY, Verdict.ABORT),
        (errors.ConductorTimeout("no answer"), ANY, Verdict.ABORT),
        (errors.ShuttingDown("stop"), ANY, Verdict.RESCHEDULE),
        (errors.NovaException("who knows"), TRIED_ELSEWHERE, Verdict.RESCHEDULE),
        (errors.NovaException("who knows"), HERE_ONLY, Verdict.ABORT),
        (ValueError("who knows"), TRIED_ELSEWHERE, Verdict.RESCHEDULE),
        (ValueError("who knows"), HERE_ONLY, Verdict.ABORT),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_verdict(error, stages, verdict):
    assert {stage: judge(error, stage) for stage in stages} == dict.fromkeys(stages, verdict)
