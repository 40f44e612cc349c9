"""What runs a job's network: what is asked for, or what facts speak for; never what was timed.

A runtime beside torch is admitted where it gives the same as torch does. What a store was made on, it goes on with.
"""

from __future__ import annotations

from pipeline.errors import ConfigError, ModelError
from pipeline.models.runtimes import KINDS, native_runtime
from pipeline.models.runtimes.runtime import Runtime
from pipeline.planning.compiling import choose_compilation
from pipeline.planning.folding import FOLD_ROUNDING_TOLERANCE, TIE_TOLERANCE
from pipeline.planning.runtimes.request import ChosenRuntime, RuntimeRequest
from pipeline.planning.runtimes.table import MINIMUM_PIXELS, measurements
from pipeline.planning.runtimes.trial import RuntimeTrial


def choose_runtime(request: RuntimeRequest) -> ChosenRuntime:
    """Decide what runs the network of a job.

    Raises
    ------
    ConfigError
        What is asked for cannot run the network here, or gives something else.
    ModelError
        What the store was made on cannot run it here, or is installed in another release.
    """
    if request.stored:
        return _of_store(request)
    if request.requested == "auto":
        return _by_facts(request)
    return _by_name(request)


def _of_store(request: RuntimeRequest) -> ChosenRuntime:
    name, release = _stored_name(request), str(request.stored.get("runtime_release") or "")
    if name == "compile":
        choose_compilation(True, request.network, request.locality, request.device, True)
    runtime, title = KINDS[name], f"{name} {release}".strip()
    obstacle = runtime.obstacle(request.network, request.device) or _other_release(name, runtime, release)
    if obstacle is not None:
        raise ModelError(
            f"The store or the frozen plan was made with execution.runtime {title}, which rounds in its own way, but "
            f"{obstacle}. Do that, or run with --fresh, which deletes the store and starts over, and "
            f"execution.runtime: auto."
        )
    return RuntimeTrial(request, name, FOLD_ROUNDING_TOLERANCE).chosen("the store was made with it")


def _stored_name(request: RuntimeRequest) -> str:
    """Stores of before do not name it: they were made by the network as it was loaded, or compiled.

    Where the network is another one now, and with it what runs it, the fingerprint tells.
    """
    if request.stored.get("compile"):
        return "compile"
    name = str(request.stored.get("runtime") or "torch")
    return native_runtime(request.network) if KINDS[name].native else name


def _other_release(name: str, runtime: Runtime, release: str) -> str | None:
    installed = runtime.release()
    if installed == release:
        return None
    package = runtime.package or name
    return f"{name} {installed} is installed here; pip install '{package}=={release}.*' brings the other release"


def _by_name(request: RuntimeRequest) -> ChosenRuntime:
    name, runtime = request.requested, KINDS[request.requested]
    if name == "compile":
        choose_compilation(True, request.network, request.locality, request.device, None, request.setting)
        return ChosenRuntime(name=name, why="asked for")
    trial = RuntimeTrial(request, name, FOLD_ROUNDING_TOLERANCE)
    obstacle = runtime.obstacle(request.network, request.device) or _precision_obstacle(request, runtime)
    if obstacle is None and not runtime.native:
        obstacle = trial.obstacle()
    if obstacle is not None:
        raise ConfigError(f"{request.setting}, but {obstacle}. Leave it auto, or mend that.")
    return trial.chosen("asked for")


def _by_facts(request: RuntimeRequest) -> ChosenRuntime:
    """The first installed runtime that facts speak for and that is admitted; else what the network was loaded for."""
    passed_over = []
    for name, runtime in KINDS.items():
        if runtime.facts is None or not runtime.release():
            continue
        trial = RuntimeTrial(request, name, TIE_TOLERANCE)
        reason = _missing_fact(request, name, runtime) or trial.obstacle()
        if reason is None:
            return trial.chosen("measured networks of its operators gained by it")
        passed_over.append(f"{name} is passed over: {reason}")
    return ChosenRuntime(name=native_runtime(request.network), why="; ".join(passed_over))


def _missing_fact(request: RuntimeRequest, name: str, runtime: Runtime) -> str | None:
    """The fact for want of which a runtime is not taken, of those that need no conversion; None where all are there."""
    obstacle = runtime.obstacle(request.network, request.device) or _precision_obstacle(request, runtime)
    if obstacle is not None:
        return obstacle
    measured = measurements(name, runtime.release(), request.device)
    if measured is None:
        return f"nothing was measured of release {runtime.release()} on such a device beside this release of torch"
    if not measured.gained:
        return "no network that was measured on such a device gained by it"
    radius, grid = request.locality.radius, request.source.grid
    if request.locality.verdict != "local" or radius is None or radius.largest == 0:
        return "what was measured are local networks of a radius above 0"
    if request.limited:
        return "tiles of an area have many shapes, and each is compiled"
    if grid.height * grid.width < MINIMUM_PIXELS:
        return f"it pays for rasters of {MINIMUM_PIXELS:,} px and more"
    return None


def _precision_obstacle(request: RuntimeRequest, runtime: Runtime) -> str | None:
    if runtime.native or request.precision == "float32":
        return None
    return f"{runtime.noun} computes in float32, and execution.precision is {request.precision}"
