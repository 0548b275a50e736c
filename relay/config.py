"""``queues.yml``: its schema, and the configuration it resolves to."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit, urlunsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from voxrelay.relay import clock
from voxrelay.relay.errors import BadConfigError
from voxrelay.relay.tensors import MEL, WIRE_VERSION

Stage = Literal["speaker", "content", "mel", "vocoder"]
STAGES: tuple[Stage, ...] = ("speaker", "content", "mel", "vocoder")
DEFAULT_FILE = Path(__file__).with_name("queues.yml")
URLS = {"broker": "VOXRELAY_BROKER_URL", "jobs": "VOXRELAY_JOBS_URL", "tensors": "VOXRELAY_TENSORS_URL"}
_OF_A_MACHINE = {"device": "VOXRELAY_DEVICE", "metrics": "VOXRELAY_METRICS"}  # of every pool on it
PASSWORD_FILE = "VOXRELAY_REDIS_PASSWORD_FILE"  # noqa: S105 - the name of a variable
_PASSWORD = re.compile(r"(://[^\s:/@]*):[^\s\"']*@")  # to the last @: a password that was not quoted may hold others
_PASSWORD_ASKED = re.compile(r"([?&](?:ssl_)?password=)[^&\s]+")

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML was built so: every command reads the file

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Url = Annotated[str, Field(pattern=r"^(redis|rediss|unix)://")]
Seconds = Annotated[float, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Redis(_Section):
    """Redis URLs; all or none are set."""

    broker: Url | None = None
    jobs: Url | None = None
    tensors: Url | None = None

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        unset = [name for name in URLS if not getattr(self, name)]
        if 0 < len(unset) < len(URLS):
            raise ValueError(f"no URL for {', '.join(unset)}: set all of {', '.join(URLS)}, or REDIS_URL")
        return self

    @property
    def shared(self) -> bool:
        """Whether a Redis was named; otherwise vox keeps a private one."""
        return self.broker is not None


class WindowSize(_Section):
    """Length of a window, of the context within it at each side, and of a recording's first, in seconds.

    ``first``: empty: about half of the others.
    """

    seconds: Seconds = 5.12
    context: Annotated[float, Field(ge=0)] = 0.32
    first: Seconds | None = None

    @model_validator(mode="after")
    def _on_the_grid(self) -> Self:
        if any(samples % clock.CONTENT_HOP for samples in (self.samples, self.context_samples, self._first)):
            raise ValueError(f"{self.seconds}, {self.context} and {self.first}: all must be multiples of 0.02")
        if self.context_samples * 4 > self.samples:
            raise ValueError(f"context {self.context}: at most a quarter of the window")
        if not self.context_samples * 4 <= self._first <= self.samples:
            raise ValueError(f"first {self.first}: from four contexts to the length of the others")
        return self

    def cut(self, samples: int) -> list[clock.Window]:
        """Plan the windows of a recording of so many samples at 16 kHz."""
        return clock.plan_windows(samples, self.samples, self.context_samples, self._first)

    @property
    def _first(self) -> int:
        if self.first is None:
            return max(clock.to_hop(self.samples // 2), 4 * self.context_samples)
        return round(self.first * clock.RATE)

    @property
    def samples(self) -> int:
        """Length at 16 kHz."""
        return round(self.seconds * clock.RATE)

    @property
    def context_samples(self) -> int:
        """Context on one side at 16 kHz."""
        return round(self.context * clock.RATE)


class Lifetimes(_Section):
    """Seconds after which Redis drops what nobody collected."""

    tensors: Annotated[int, Field(gt=0)] = 86_400
    jobs: Annotated[int, Field(gt=0)] = 86_400
    voices: Annotated[int, Field(gt=0)] = 600


class Limits(_Section):
    """What is accepted and how much is done at once: see the comments in ``queues.yml``."""

    shortest: Seconds = 0.3
    source: Seconds = 7200
    reference: Seconds = 600
    backlog: Annotated[int, Field(ge=1)] = 200_000
    client: Annotated[int, Field(ge=1)] = 100_000
    memory: Annotated[float, Field(gt=0, le=1)] = 0.9
    in_flight: Annotated[int, Field(ge=1)] | None = None
    failures: Annotated[int, Field(ge=1)] = 3
    retries: Annotated[int, Field(ge=0)] = 10


class Timeouts(_Section):
    """Seconds: see the comments in ``queues.yml``."""

    lease: Annotated[int, Field(ge=2)] = 15
    patience: Seconds = 20
    visibility: Annotated[int, Field(ge=10)] = 120
    idle: Seconds = 600
    start: Seconds = 180
    stuck: Seconds = 300


class Model(_Section):
    """One model: where it runs, with which options, and, if its name does not say it, which program it is."""

    pool: Name
    kind: Name | None = None
    file: str | None = None
    options: dict[str, str | int | float | bool | None] = {}


class Pool(_Section):
    """Worker processes in one environment: see the comments in ``queues.yml``."""

    environment: Name
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    batch: Annotated[int, Field(ge=1, le=256)] = 1
    wait: Annotated[float, Field(ge=0, le=1)] = 0.01
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda:\d+)$")] = "cpu"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    compile: bool = False
    metrics: Annotated[int, Field(ge=1, le=65_535)] | None = None


class Config(_Section):
    """All of ``queues.yml``."""

    redis: Redis = Redis()
    window: WindowSize = WindowSize()
    lifetimes: Lifetimes = Lifetimes()
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    profile: Name
    profiles: dict[Name, dict[Stage, Name]]
    stages: dict[Stage, dict[Name, Model]]
    pools: dict[Name, Pool]

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        if self.profile not in self.profiles:
            raise ValueError(f"profile: found {self.profile!r}, allowed: {', '.join(self.profiles) or 'none'}")
        for stage in STAGES:
            models = self.stages.get(stage, {})
            for profile, chain in self.profiles.items():
                if (found := chain.get(stage)) not in models:
                    where = f"profiles.{profile}.{stage}"
                    raise ValueError(f"{where}: found {found!r}, allowed: {', '.join(models) or 'none'}")
            for name, model in models.items():
                if model.pool not in self.pools:
                    where = f"stages.{stage}.{name}.pool"
                    raise ValueError(f"{where}: found {model.pool!r}, allowed: {', '.join(self.pools)}")
        for pool in self.pools:
            stages = {stage for stage, models in self.stages.items() for m in models.values() if m.pool == pool}
            if len(stages) != 1:
                raise ValueError(f"pools.{pool}: serves {sorted(stages) or 'no stage'}, a pool serves exactly one")
        return self

    def served_by(self, pool: str) -> tuple[Stage, dict[str, Model]]:
        """Return the stage of a pool and its models.

        Raises:
            BadConfigError: there is no such pool.

        """
        if pool not in self.pools:
            raise BadConfigError(f"no pool {pool!r}", where="pools", hint=f"there are {', '.join(self.pools)}")
        stage = next(s for s in STAGES for m in self.stages[s].values() if m.pool == pool)
        return stage, {name: m for name, m in self.stages[stage].items() if m.pool == pool}

    def environments(self, pools: Iterable[str]) -> list[str]:
        """Return the environments of some pools, each once."""
        return sorted({self.pools[pool].environment for pool in pools})

    def model(self, stage: Stage, name: str) -> Model:
        """Return a model of a stage.

        Raises:
            BadConfigError: there is no such model.

        """
        try:
            return self.stages[stage][name]
        except KeyError:
            known = ", ".join(self.stages[stage])
            raise BadConfigError(
                f"no {stage} model {name!r}", where=f"stages.{stage}", hint=f"there are {known}"
            ) from None

    def chain(self, profile: str = "") -> dict[Stage, str]:
        """Return the models of a profile by stage; by default of the one that ``profile`` names.

        Raises:
            BadConfigError: there is no such profile.

        """
        try:
            return dict(self.profiles[profile or self.profile])
        except KeyError:
            hint = f"there are {', '.join(self.profiles)}"
            raise BadConfigError(f"no profile {profile!r}", where="profiles", hint=hint) from None

    def with_profile(self, profile: str) -> "Config":
        """Return this with another profile in force; an empty name changes nothing.

        Raises:
            BadConfigError: there is no such profile.

        """
        self.chain(profile)
        return self.model_copy(update={"profile": profile or self.profile})

    def chain_pools(self, profile: str = "") -> list[str]:
        """Return the pools of a profile, in the order of the stages."""
        return [self.model(stage, name).pool for stage, name in self.chain(profile).items()]

    @cached_property
    def contract(self) -> str:
        """Hash what producer and workers must agree on: wire, window, mel and the models' options."""
        agreed = {
            "wire": WIRE_VERSION,
            "window": self.window.model_dump(exclude={"first"}),
            "mel": MEL.fingerprint,
            "stages": {s: {n: m.options for n, m in models.items()} for s, models in self.stages.items()},
        }
        return hashlib.sha256(json.dumps(agreed, sort_keys=True).encode()).hexdigest()[:16]

    def masked(self) -> dict[str, Any]:
        """Return everything as plain data, passwords in URLs hidden."""
        data = self.model_dump()
        data["redis"] = {name: url and mask(url) for name, url in data["redis"].items()}
        return data


def mask(text: str | None) -> str:
    """Hide the passwords of URLs in a text."""
    return _PASSWORD_ASKED.sub(r"\1***", _PASSWORD.sub(r"\1:***@", text or ""))


def _with_password(url: str, password: str) -> str:
    """Add a password to a URL that has none."""
    parts = urlsplit(url)
    if parts.password or _PASSWORD_ASKED.search(url):
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.rstrip(':')}:{quote(password, safe='')}@{host}"))


def read_secret(path: str, variable: str) -> str:
    """Read the file that a variable names, without the space around what it holds.

    Raises:
        BadConfigError: it cannot be read.

    """
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfigError(f"cannot be read: {type(error).__name__}", where=path, hint=f"see {variable}") from error


def _password(env: Mapping[str, str]) -> str:
    """Read the file of the password, if one is named.

    Raises:
        BadConfigError: it cannot be read, or is empty.

    """
    if not (path := env.get(PASSWORD_FILE)):
        return ""
    if not (found := read_secret(path, PASSWORD_FILE)):
        raise BadConfigError("is empty", where=path, hint=f"{PASSWORD_FILE} names a file with the password of Redis")
    return found


def config_file(env: Mapping[str, str] = os.environ) -> Path:
    """Return the file in force: ``VOXRELAY_CONFIG``, else the one that voxrelay ships."""
    return Path(env.get("VOXRELAY_CONFIG") or DEFAULT_FILE).expanduser().resolve()


def load(env: Mapping[str, str] = os.environ) -> Config:
    """Read the configuration in force; the environment overrides URLs, and what pools have of their machine.

    Raises:
        BadConfigError: the file is missing, is not YAML, or does not fit the schema.

    """
    path = config_file(env)
    try:
        data = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 - both are safe
    except OSError as error:
        raise BadConfigError(
            f"cannot be read: {error.strerror}", where=str(path), hint="see VOXRELAY_CONFIG"
        ) from error
    except yaml.YAMLError as error:
        raise BadConfigError(f"not YAML: {error}", where=str(path)) from error
    if not isinstance(data, dict):
        raise BadConfigError("not a mapping of sections", where=str(path))
    urls = dict(data.get("redis") or {})
    for name, variable in URLS.items():
        if url := env.get(variable) or env.get("REDIS_URL"):
            urls[name] = url
    machine = {name: env[variable] for name, variable in _OF_A_MACHINE.items() if env.get(variable)}
    if password := _password(env):
        urls = {name: _with_password(url, password) if isinstance(url, str) else url for name, url in urls.items()}
    try:
        config = Config.model_validate({**data, "redis": urls})
        pools = {name: {**pool.model_dump(), **machine} for name, pool in config.pools.items()}
        return Config.model_validate({**config.model_dump(), "pools": pools}) if machine else config
    except ValidationError as error:
        raise BadConfigError(explain(error), where=str(path), hint="vox config --schema") from error


def explain(error: ValidationError) -> str:
    """Name key, value found and what is allowed, for every mistake."""
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"] if part != "[key]")
        found = "" if isinstance(item["input"], dict | BaseModel) else f", found {mask(repr(item['input']))}"
        message = item["msg"].removeprefix("Value error, ")
        lines.append(f"{key}: {message}{found}" if key else message)
    return "; ".join(lines)
