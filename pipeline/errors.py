"""The errors a user can meet, and the exit code of each."""


class PipelineError(Exception):
    """An error whose message is one paragraph: what was given, what is allowed, what to change."""

    exit_code = 70


class InputError(PipelineError):
    """The config, the source, the network or the store given is wrong."""

    exit_code = 2


class ConfigError(InputError):
    """The config cannot be read, or says something that is not allowed."""


class SourceError(InputError):
    """The raster, or the area of it that is asked for, is missing, unreadable, or not what the config says it is."""


class ModelError(InputError):
    """The network cannot be loaded, or does not fit the bands, classes or sizes asked for."""


class BandsError(ModelError):
    """The network takes another number of bands than are read."""

    def __init__(self, message: str, expected: int = 0, input_name: str = "") -> None:
        super().__init__(message)
        self.expected = expected
        """The number it takes."""
        self.input_name = input_name
        """The input that takes them, where the network has several."""


class StoreError(InputError):
    """The output path holds something else, or a store of another config, network or source."""


class LabelsError(InputError):
    """The labels are missing or unreadable, lie elsewhere than the image, or hold what is no class."""


class ExtraError(InputError):
    """What was asked for needs a library that is not installed."""


class WorkerError(InputError):
    """A worker, or the scheduler that has them, is not there or lacks something that the run needs."""


class PlanError(PipelineError):
    """The plan does not fit the memory or the disk; nothing has been run."""

    exit_code = 3


class CertificateError(PipelineError):
    """A store is not what it should be, or its seams show more than was promised."""

    exit_code = 4


class BlocksFailed(PipelineError):
    """Some blocks failed; the others are committed, and a rerun tries only those."""

    exit_code = 1


class Unfinished(PipelineError):
    """The run stopped early and can be run again."""

    exit_code = 75


class ReadError(PipelineError):
    """One window could not be read. Fails its block, never the run."""

    exit_code = 1


class ReadHangs(ReadError):
    """One window did not come in time."""


class InferenceError(PipelineError):
    """The network could not answer for one block. Fails the block, never the run."""

    exit_code = 1
