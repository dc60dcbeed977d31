# One file, two images:
#   core    dispatcher, web server, clerk, migrations, Flower, the command line; no torch
#   worker  core plus torch and transformers; the wheel on PyPI brings CUDA
FROM python:3.12.13-slim-bookworm AS base
ENV PATH=/opt/venv/bin:$PATH \
    MASKPOOL_HEALTH_FILE=/tmp/maskpool.health \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Folders that volumes are mounted on belong to the user before the volume exists.
RUN groupadd --gid 10001 maskpool \
    && useradd --uid 10001 --gid 10001 --create-home maskpool \
    && install -d -o maskpool -g maskpool \
        /var/lib/maskpool /var/lib/flower \
        /home/maskpool/.cache /home/maskpool/.cache/huggingface
WORKDIR /app

FROM base AS core-build
RUN python -m venv /opt/venv
# Dependencies first: a change of code does not install them again. The installation is editable, so
# it only points at /app and finds there what is copied later. README and LICENSE must exist for it, and an
# edit of them must not install everything again, so they are empty here.
COPY pyproject.toml constraints.txt ./
RUN touch README.md LICENSE && pip install --no-cache-dir -c constraints.txt -e '.[flower,web]'

FROM core-build AS worker-build
# For machines without a GPU: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TORCH_INDEX=""
RUN pip install --no-cache-dir -c constraints.txt \
        ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -e '.[worker,heic]'

FROM base AS code
COPY pyproject.toml README.md LICENSE ./
COPY maskpool maskpool
COPY db db
COPY storage storage
COPY producer producer
COPY shell shell
COPY workers workers
COPY web web
COPY clerk clerk

FROM base AS core
COPY --from=core-build /opt/venv /opt/venv
COPY --from=code /app /app
USER 10001:10001
WORKDIR /var/lib/maskpool
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s \
    CMD ["python", "-P", "-m", "maskpool.health", "/tmp/maskpool.health"]
CMD ["maskpool", "dispatch"]

FROM base AS worker
# MASKPOOL_COMPILE needs a compiler where the worker runs: --build-arg COMPILER="gcc g++ libc6-dev".
# Whatever the base image's Debian has will do; nothing of ours is linked against it.
ARG COMPILER=""
# hadolint ignore=DL3008
RUN if [ -n "$COMPILER" ]; then \
        apt-get update \
        && apt-get install -y --no-install-recommends $COMPILER \
        && rm -rf /var/lib/apt/lists/*; \
    fi
COPY --from=worker-build /opt/venv /opt/venv
COPY --from=code /app /app
USER 10001:10001
WORKDIR /var/lib/maskpool
STOPSIGNAL SIGTERM
# A first start may download the weights.
HEALTHCHECK --interval=30s --timeout=10s --start-period=300s \
    CMD ["python", "-P", "-m", "maskpool.health", "/tmp/maskpool.health"]
CMD ["maskpool", "worker"]
