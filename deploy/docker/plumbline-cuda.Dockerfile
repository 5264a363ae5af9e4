# The server with the CUDA kernels in it. Starts without a GPU and without a driver, too. Build from the project's root:
#   docker build -f deploy/docker/plumbline-cuda.Dockerfile --target refserver -t plumbline-refserver-cuda:local .
ARG BUILD_BASE=nvidia/cuda:12.6.3-devel-ubuntu24.04
ARG BASE=ubuntu:24.04

FROM ${BUILD_BASE} AS build
WORKDIR /src
COPY . .
RUN PRESET=cuda ./dev build refserver && strip build/cuda/bin/refserver

# The CUDA runtime is linked in; the driver's library comes from the host with the GPU.
FROM ${BASE} AS refserver
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libcurl4t64 libfmt9 libpcre2-8-0 libssl3t64 libyaml-cpp0.8 \
    zlib1g \
 && rm -rf /var/lib/apt/lists/* \
 && install -d /data
COPY --from=build /src/build/cuda/bin/refserver /usr/local/bin/refserver
ENV PORT=80 NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /data
USER 65532:65532
EXPOSE 80
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=120s --retries=3 CMD ["refserver", "health"]
ENTRYPOINT ["refserver", "serve", "--host", "0.0.0.0"]
