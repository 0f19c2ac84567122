#!/bin/bash
# Joins the cluster. CLUSTER arrives as an exported variable.
set -euo pipefail
printf '%s\n' "ECS_CLUSTER=$CLUSTER" ECS_ENABLE_CONTAINER_METADATA=true ECS_AWSVPC_BLOCK_IMDS=true > /etc/ecs/ecs.config
