# The image of the command line, `vox`: for the exporter, and for clients in containers. It has no pools of its own.
#   docker build -t voxrelay . && docker run voxrelay --help
ARG PYTHON=3.11.14-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /build
COPY requirements.lock .
RUN pip install --no-cache-dir "$(grep '^uv==' requirements.lock)"
COPY . .
RUN uv venv --python "$(command -v python3.11)" /env
RUN uv pip install --no-cache --compile-bytecode --python /env/bin/python --constraint requirements.lock .

FROM python:${PYTHON}
RUN useradd --uid 10001 --no-create-home vox
COPY --from=build /env /env
COPY queues.yml /etc/voxrelay/queues.yml
ENV HOME=/tmp VOXRELAY_HOME=/tmp/voxrelay VOXRELAY_CONFIG=/etc/voxrelay/queues.yml PYTHONDONTWRITEBYTECODE=1
USER vox
ENTRYPOINT ["/env/bin/vox"]
