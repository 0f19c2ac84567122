"""GPU instance types: how many GPUs and EFA interfaces each has.

Dated 2026-11-01, from EC2's DescribeInstanceTypes (GpuInfo.Gpus[].Count, NetworkInfo.EfaInfo
.MaximumEfaInterfaces, NetworkInfo.MaximumNetworkCards, SupportedUsageClasses). A stack file adds or corrects
rows with `config.instance_types`. Left out: types without a whole GPU (g6f, gr6f), without an image that has
their driver (p3 and older), with another architecture than the image (g5g), and bare metal.
"""

from __future__ import annotations

from pydantic import NonNegativeInt, PositiveInt, model_validator

from ..core import Config, ConfigError

TABLE_DATE = "2026-11-01"


class GpuType(Config):
    """One row of the table."""

    gpus: PositiveInt
    """GPUs of an instance."""

    efa_interfaces: NonNegativeInt = 0
    """Elastic Fabric Adapter interfaces that an instance can have; 0 where EFA does not exist."""

    network_cards: PositiveInt = 1
    """Network cards; one more than EFA interfaces where the first card has no EFA."""

    capacity_blocks: bool = False
    """Whether Capacity Blocks are sold for the type."""

    @model_validator(mode="after")
    def _cards_carry_interfaces(self) -> GpuType:
        if self.efa_interfaces and self.network_cards not in (self.efa_interfaces, self.efa_interfaces + 1):
            what = f"got {self.network_cards} for {self.efa_interfaces} EFA interfaces"
            raise ConfigError(
                "network_cards", f"{what}; write as many, or one more where the first card has none"
            )
        return self

    @property
    def layout(self) -> tuple[int, int]:
        """What fixes the list of network interfaces of a node."""
        return self.efa_interfaces, self.network_cards


GPU_TYPES = {
    "g4dn.xlarge": GpuType(gpus=1),
    "g4dn.2xlarge": GpuType(gpus=1),
    "g4dn.4xlarge": GpuType(gpus=1),
    "g4dn.8xlarge": GpuType(gpus=1, efa_interfaces=1),
    "g4dn.12xlarge": GpuType(gpus=4, efa_interfaces=1),
    "g4dn.16xlarge": GpuType(gpus=1, efa_interfaces=1),
    "g5.xlarge": GpuType(gpus=1),
    "g5.2xlarge": GpuType(gpus=1),
    "g5.4xlarge": GpuType(gpus=1),
    "g5.8xlarge": GpuType(gpus=1, efa_interfaces=1),
    "g5.12xlarge": GpuType(gpus=4, efa_interfaces=1),
    "g5.16xlarge": GpuType(gpus=1, efa_interfaces=1),
    "g5.24xlarge": GpuType(gpus=4, efa_interfaces=1),
    "g5.48xlarge": GpuType(gpus=8, efa_interfaces=1),
    "g6.xlarge": GpuType(gpus=1),
    "g6.2xlarge": GpuType(gpus=1),
    "g6.4xlarge": GpuType(gpus=1),
    "g6.8xlarge": GpuType(gpus=1, efa_interfaces=1),
    "g6.12xlarge": GpuType(gpus=4, efa_interfaces=1),
    "g6.16xlarge": GpuType(gpus=1, efa_interfaces=1),
    "g6.24xlarge": GpuType(gpus=4, efa_interfaces=1),
    "g6.48xlarge": GpuType(gpus=8, efa_interfaces=1),
    "g6e.xlarge": GpuType(gpus=1),
    "g6e.2xlarge": GpuType(gpus=1),
    "g6e.4xlarge": GpuType(gpus=1),
    "g6e.8xlarge": GpuType(gpus=1, efa_interfaces=1),
    "g6e.12xlarge": GpuType(gpus=4, efa_interfaces=1),
    "g6e.16xlarge": GpuType(gpus=1, efa_interfaces=1),
    "g6e.24xlarge": GpuType(gpus=4, efa_interfaces=2, network_cards=2),
    "g6e.48xlarge": GpuType(gpus=8, efa_interfaces=4, network_cards=4),
    "gr6.4xlarge": GpuType(gpus=1),
    "gr6.8xlarge": GpuType(gpus=1, efa_interfaces=1),
    "g7.2xlarge": GpuType(gpus=1),
    "g7.4xlarge": GpuType(gpus=1),
    "g7.8xlarge": GpuType(gpus=1, efa_interfaces=1),
    "g7.12xlarge": GpuType(gpus=2, efa_interfaces=1),
    "g7.24xlarge": GpuType(gpus=4, efa_interfaces=1),
    "g7.48xlarge": GpuType(gpus=8, efa_interfaces=2, network_cards=2),
    "g7e.2xlarge": GpuType(gpus=1),
    "g7e.4xlarge": GpuType(gpus=1),
    "g7e.8xlarge": GpuType(gpus=1, efa_interfaces=1),
    "g7e.12xlarge": GpuType(gpus=2, efa_interfaces=1),
    "g7e.24xlarge": GpuType(gpus=4, efa_interfaces=2, network_cards=2),
    "g7e.48xlarge": GpuType(gpus=8, efa_interfaces=4, network_cards=4),
    "p4d.24xlarge": GpuType(gpus=8, efa_interfaces=4, network_cards=4, capacity_blocks=True),
    "p4de.24xlarge": GpuType(gpus=8, efa_interfaces=4, network_cards=4, capacity_blocks=True),
    "p5.4xlarge": GpuType(gpus=1, efa_interfaces=1, capacity_blocks=True),
    "p5.48xlarge": GpuType(gpus=8, efa_interfaces=32, network_cards=32, capacity_blocks=True),
    "p5e.48xlarge": GpuType(gpus=8, efa_interfaces=32, network_cards=32, capacity_blocks=True),
    "p5en.48xlarge": GpuType(gpus=8, efa_interfaces=16, network_cards=16, capacity_blocks=True),
    "p6-b200.48xlarge": GpuType(gpus=8, efa_interfaces=8, network_cards=8, capacity_blocks=True),
    "p6-b300.48xlarge": GpuType(gpus=8, efa_interfaces=16, network_cards=17, capacity_blocks=True),
}
