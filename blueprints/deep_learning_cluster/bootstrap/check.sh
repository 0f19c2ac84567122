#!/bin/bash
# Tells how all nodes are; to be run as the login user, who has the cluster's key.
set -a
# shellcheck source=/dev/null
. /etc/deeplearning/agent.env
cd /opt/deeplearning/lib && exec python3 -m agent check
