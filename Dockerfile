# docker build -t seq2seq:cpu .                                              serves folders with graphs, on the CPU
# docker build -t seq2seq:tensorflow --build-arg ACCELERATOR=tensorflow .    serves any folder on the CPU, and trains
# docker build -t seq2seq:gpu --build-arg ACCELERATOR=gpu .                  serves any folder, on an NVIDIA GPU
# docker build -t seq2seq:ray --build-arg ACCELERATOR=ray .                  as tensorflow, and prepares on a Ray cluster
ARG BASE_IMAGE=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${BASE_IMAGE} AS build
ARG ACCELERATOR=cpu
WORKDIR /srv
COPY requirements/${ACCELERATOR}.txt /tmp/requirements.txt
# Bytecode that is never compared with its source: the file system of a server is read-only, and a
# start that compiles what it imports takes twice as long.
RUN python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --require-hashes -r /tmp/requirements.txt \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib
COPY model model
COPY app app
COPY training training
COPY seq2seq seq2seq
COPY models/default models/default
COPY recipes/english recipes/english
# A checkout may be closed to other users, and the server is one.
RUN python -m compileall -q --invalidation-mode unchecked-hash model app training seq2seq \
 && chmod -R a+rX /srv

FROM ${BASE_IMAGE}
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv /srv
WORKDIR /srv
# /tmp is where the server may write; libraries that look for a home folder find it there. Commands
# run in any folder. All models in /srv/models are served by name.
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONPATH=/srv \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1 \
    SEQ2SEQ_HOST=0.0.0.0 \
    SEQ2SEQ_MODELS=/srv/models
USER 10001:10001
EXPOSE 8000
# Not by `urllib`, which would ask the proxy that Docker's client puts into the environment.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('SEQ2SEQ_PORT') or 8000), timeout=4); c.request('GET', '/health/ready'); sys.exit(c.getresponse().status != 200)"]
CMD ["python", "-m", "app"]
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="seq2seq" \
      org.opencontainers.image.description="Replies and translations over HTTP, by a model of your own" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
