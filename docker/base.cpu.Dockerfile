FROM python:3.12-slim-bookworm

ARG DEBIAN_FRONTEND=noninteractive

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential ca-certificates curl git unzip wget \
    && rm -rf /var/lib/apt/lists/*

RUN (id runway || useradd --uid 10001 --user-group --create-home --no-log-init runway) \
    && python3 -m venv /opt/venv \
    && install --directory --owner=runway --group=runway --mode=2775 /model \
    && chmod 2775 /home/runway

ENV PATH=/opt/venv/bin:$PATH \
    HOME=/home/runway \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1
WORKDIR /model
RUN pip install --no-cache-dir setuptools==80.9.0 wheel==0.45.1
