"""What shapes a deep-learning cluster, fixed when its template is rendered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..blocks.ingress import Ingress
from ..core import Config, ConfigError
from .instance_types import GPU_TYPES, TABLE_DATE, GpuType

Percentage = Annotated[int, Field(ge=0, le=100)]


class OnDemand(Config):
    """Master and workers at the On-Demand price."""

    market: Literal["on_demand"] = "on_demand"
    """How the nodes are bought."""


class Spot(Config):
    """Workers from spare capacity, which EC2 may take back with two minutes' notice; the master is On-Demand."""

    market: Literal["spot"]
    """How the nodes are bought."""

    on_demand_base: Annotated[int, Field(ge=0, le=1000)] = 0
    """Workers that are On-Demand in any case."""

    on_demand_percentage: Percentage = 0
    """Share of the workers above the base that is On-Demand."""

    other_types: tuple[str, ...] = Field(default=(), examples=[["g5.xlarge"]])
    """Types to take where InstanceType has no spare capacity."""


class CapacityBlock(Config):
    """Master and workers in a Capacity Block, bought before; CapacityReservationId names it."""

    market: Literal["capacity_block"]
    """How the nodes are bought."""


class Reservation(Config):
    """Master and workers in an On-Demand capacity reservation; CapacityReservationId names it."""

    market: Literal["reservation"]
    """How the nodes are bought."""


Capacity = Annotated[OnDemand | Spot | CapacityBlock | Reservation, Field(discriminator="market")]


class NoStorage(Config):
    """No shared file system."""

    kind: Literal["none"] = "none"
    """Shared file system."""


class Efs(Config):
    """Amazon EFS, mounted on every node."""

    kind: Literal["efs"]
    """Shared file system."""

    file_system: Literal["new", "existing"] = "new"
    """`existing` mounts the file system that EFSFileSystemId names, which has a mount target in the zone."""

    on_delete: Literal["retain", "delete"] = "retain"
    """What becomes of a new file system when the stack is deleted."""


class FsxLustre(Config):
    """Amazon FSx for Lustre, mounted on every node. A new file system is deleted with the stack."""

    kind: Literal["fsx_lustre"]
    """Shared file system."""

    file_system: Literal["new", "existing"] = "new"
    """`existing` mounts the file system that FSxFileSystemId and FSxMountName name."""

    deployment: Literal["SCRATCH_2", "PERSISTENT_2"] = "SCRATCH_2"
    """Scratch keeps one copy; persistent replicates within the zone."""

    throughput: Literal[125, 250, 500, 1000] | None = None
    """MB/s per TiB, for PERSISTENT_2 alone; 125 if left out."""

    @model_validator(mode="after")
    def _throughput_of_persistent(self) -> FsxLustre:
        if self.throughput is not None and self.deployment != "PERSISTENT_2":
            raise ConfigError(
                "throughput", "a choice of PERSISTENT_2 alone; remove it or set deployment: PERSISTENT_2"
            )
        return self


Storage = Annotated[NoStorage | Efs | FsxLustre, Field(discriminator="kind")]


class Image(Config):
    """What nodes boot: an AWS Deep Learning AMI."""

    operating_system: Literal["ubuntu", "amazon_linux_2023"] = "ubuntu"
    """Operating system of the image; it fixes the login user and the name of the root device."""

    source: Literal["latest", "pinned"] = "latest"
    """`latest` follows ImageParameter: an update of the stack may then replace nodes. `pinned` asks for ImageId."""


class Fabric(Config):
    """How the nodes are wired together."""

    efa: bool = False
    """Give every node all the Elastic Fabric Adapter interfaces that its type has."""

    placement_group: bool = False
    """Launch the workers close together; large types may then be harder to get."""


class Membership(Config):
    """How nodes learn of each other."""

    period: Annotated[int, Field(ge=1, le=30)] = 15
    """Seconds between two looks at the registry. A node that is silent for four periods counts as gone."""


class Idle(Config):
    """When nobody uses the GPUs."""

    percent: Annotated[int, Field(ge=1, le=100)] = 5
    """A GPU is idle below this utilisation."""

    minutes: Annotated[int, Field(ge=15, le=10_080)] = 60
    """How long the GPUs of all nodes have to be idle."""


class Gpus(Config):
    """What is done about GPUs beside training on them."""

    metrics: bool = False
    """Put time and memory in use of each node's GPUs into CloudWatch, once in four periods."""

    replace: bool = False
    """Replace a worker whose driver lists fewer GPUs than its type has: one at a time, and one an hour."""

    idle: Idle | None = None
    """Scale the workers to zero when all nodes' GPUs idle; what is on their own disks is lost, the master stays."""


class ClusterConfig(Config):
    """Choices fixed when the template is rendered."""

    access: Literal["session_manager", "ssh"]
    """How people log in: through Session Manager without an open port, or by SSH to a public address."""

    instance_type: str = Field(
        default="g6.xlarge", examples=["g5.8xlarge", "p5.48xlarge", "p6-b300.48xlarge"]
    )
    """Type of master and workers: default of InstanceType and, with EFA, what fixes the interfaces."""

    image: Image = Image()
    """What nodes boot."""

    fabric: Fabric = Fabric()
    """How the nodes are wired together."""

    capacity: Capacity = OnDemand()
    """How the nodes are bought."""

    storage: Storage = NoStorage()
    """A file system that all nodes share."""

    membership: Membership = Membership()
    """How nodes learn of each other."""

    gpus: Gpus = Gpus()
    """What is done about GPUs beside training on them."""

    ingress: tuple[Ingress, ...] = ()
    """Who else may connect to the master, such as a browser to TensorBoard."""

    instance_types: dict[str, GpuType] = Field(
        default_factory=dict[str, GpuType], examples=[{"p9.48xlarge": {"gpus": 8}}]
    )
    """Rows to add to the table of instance types, or to correct in it."""

    @model_validator(mode="after")
    def _consistent(self) -> ClusterConfig:
        kind = self.gpu_type(self.instance_type, "instance_type")
        if self.fabric.efa and not kind.efa_interfaces:
            what = f"{self.instance_type} has no EFA; choose a type that has, or set efa: false"
            raise ConfigError("fabric.efa", what)
        if isinstance(self.capacity, Spot):
            self._fits_other_types(kind, self.capacity.other_types)
        if isinstance(self.capacity, CapacityBlock):
            self._fits_capacity_block(kind)
        if self.gpus.idle and isinstance(self.capacity, (CapacityBlock, Reservation)):
            raise ConfigError("gpus.idle", "reserved capacity is paid for in any case; remove it")
        return self

    def _fits_other_types(self, kind: GpuType, others: tuple[str, ...]) -> None:
        repeated = {name for name in others if [self.instance_type, *others].count(name) > 1}
        if repeated:
            what = f"{', '.join(sorted(repeated))} is named twice; instance_type is the first of the types anyway"
            raise ConfigError("capacity.other_types", f"{what}; name each once")
        for other in others:
            row = self.gpu_type(other, "capacity.other_types")
            if self.fabric.efa and row.layout != kind.layout:
                what = f"{other} has other EFA interfaces than {self.instance_type}"
                raise ConfigError(
                    "capacity.other_types", f"{what}; name types with the same, or set efa: false"
                )

    def _fits_capacity_block(self, kind: GpuType) -> None:
        if not kind.capacity_blocks:
            what = f"no Capacity Blocks exist for {self.instance_type}; choose another market or type"
            raise ConfigError("capacity.market", what)
        if self.fabric.placement_group:
            what = "a Capacity Block has a place of its own; set placement_group: false"
            raise ConfigError("fabric.placement_group", what)

    def gpu_type(self, name: str, where: str) -> GpuType:
        """The row of an instance type. Raises ConfigError for a type that no row describes."""
        row = self.types().get(name)
        if row is None:
            what = f"{name!r} is not in the table of {TABLE_DATE} in deep_learning_cluster/instance_types.py"
            raise ConfigError(where, f"{what}; correct it, or describe it under config.instance_types")
        return row

    def types(self) -> dict[str, GpuType]:
        """The table with this stack's own rows."""
        return GPU_TYPES | self.instance_types

    def offered(self) -> list[str]:
        """Types that InstanceType may name without a change of the template."""
        kind = self.gpu_type(self.instance_type, "instance_type")
        block = isinstance(self.capacity, CapacityBlock)
        # Auto Scaling refuses a type that is named twice.
        others = self.capacity.other_types if isinstance(self.capacity, Spot) else ()
        return [
            name
            for name, row in self.types().items()
            if name not in others
            and (not self.fabric.efa or row.layout == kind.layout)
            and (not block or row.capacity_blocks)
        ]
