#!/bin/bash
# Builds and pushes the images of the three services. CONTEXT is their folder, packed, or else CONTEXT_LAYER has it.
# What else it needs arrives from CodeBuild.
set -euo pipefail

patiently() {
  local try
  for try in 1 2 3; do
    "$@" && return
    echo "try $try failed: $1" >&2
    sleep "$((5 * try))"
  done
  "$@"
}

log_in() {
  aws ecr get-login-password | docker login --username AWS --password-stdin "$REGISTRY"
}

fetch() {
  local location
  location=$(aws lambda get-layer-version-by-arn --arn "$CONTEXT_LAYER" --query Content.Location --output text) || return
  curl -sSf --retry 5 --max-time 60 -o context.zip "$location"
}

mkdir -p context
if [ -n "$CONTEXT" ]; then
  base64 -d <<< "$CONTEXT" | tar -xz -C context
else
  patiently fetch
  unzip -qo context.zip -d context
fi
patiently log_in
for service in portal calc clock; do
  name=${service^^}_REPOSITORY
  image=${!name}:$IMAGE_TAG
  if docker manifest inspect "$image" > /dev/null 2>&1; then
    echo "$image is there already"
    continue
  fi
  patiently docker build --build-arg "SERVICE=$service" --tag "$image" context
  patiently docker push "$image"
done
