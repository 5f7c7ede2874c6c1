# docker build -t seq2seq .                              serves on the CPU
# docker build -t seq2seq --build-arg ACCELERATOR=gpu .  serves on an NVIDIA GPU
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS environment
ARG ACCELERATOR=cpu
RUN python -m venv /opt/venv
COPY requirements/${ACCELERATOR}.txt requirements.txt
RUN /opt/venv/bin/pip install --no-cache-dir --no-compile --require-hashes -r requirements.txt

FROM ${BASE_IMAGE}
RUN useradd --create-home --uid 10001 seq2seq
COPY --from=environment /opt/venv /opt/venv
WORKDIR /srv
COPY model model
COPY app app
COPY models/default models/default
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    KERAS_BACKEND=tensorflow \
    KERAS_HOME=/tmp/keras \
    ORT_DISABLE_TELEMETRY=1 \
    TF_CPP_MIN_LOG_LEVEL=3 \
    SEQ2SEQ_HOST=0.0.0.0
USER seq2seq
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('SEQ2SEQ_PORT', '8000') + '/health/ready', timeout=4)"]
CMD ["python", "-m", "app"]
