# Written by `runway-serve build` from runway.yml; change that file rather than this one.
# hadolint global ignore=DL3003,DL3008,DL3009,DL3013,DL3014,DL3015,DL3027,DL3042,DL3047,DL3059,DL4001,DL4006,SC2046,SC2086,SC2102,SC2164
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

# hadolint ignore=DL3059
RUN pip install --no-cache-dir tensorflow==2.21.0

COPY .runway-serve/runway_serve-1.0.0-py3-none-any.whl /opt/runway-serve/
RUN pip install --no-cache-dir /opt/runway-serve/runway_serve-1.0.0-py3-none-any.whl

# Folders keep the server's group, so that it may write into those that steps make.
COPY --chown=runway:runway . .
RUN rm -r .runway-serve && find . -type d -exec chmod g+ws {} +

RUN umask 0002; apt update && apt install -y libsm6 libxext6 wget
RUN umask 0002; cd lib && make && cd ..
RUN umask 0002; mkdir -p output/ckpt && cd output/ckpt && wget https://example.invalid/ckpt.tar.gz && tar xf ckpt.tar.gz && cd ../..
RUN umask 0002; cd lib && pip install .

# Last, as a step may have put the old SDK over it, or replaced what it needs.
RUN pip uninstall --yes runway-python \
    && pip install --no-cache-dir --force-reinstall --no-deps /opt/runway-serve/runway_serve-1.0.0-py3-none-any.whl \
    && pip install --no-cache-dir /opt/runway-serve/runway_serve-1.0.0-py3-none-any.whl

ENV RW_HOST=0.0.0.0 \
    RW_PORT=9000
EXPOSE 9000
USER 10001
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-m", "runway_serve.project.healthcheck"]
ENTRYPOINT ["runway-serve", "/model"]
