# Both programs from one build, for processors. Targets: refserver, loadgen. Build from the project's root:
#   docker build -f deploy/docker/plumbline.Dockerfile --target refserver -t plumbline-refserver:local .
ARG BASE=debian:12.11-slim

FROM ${BASE} AS build
WORKDIR /src
COPY . .
RUN ./dev build refserver loadgen && strip build/release/bin/refserver build/release/bin/loadgen

FROM ${BASE} AS runtime
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libcurl4 libfmt9 libpcre2-8-0 libssl3 libyaml-cpp0.7 zlib1g \
 && rm -rf /var/lib/apt/lists/* \
 && install -d /data /plumbline/runs \
 && chown 65532:65532 /plumbline/runs
USER 65532:65532

# Takes TGI's flags and variables: --model-id /data/FOLDER --quantize gptq --max-input-tokens 2048 ... Writes nothing.
FROM runtime AS refserver
COPY --from=build /src/build/release/bin/refserver /usr/local/bin/refserver
ENV PORT=80
WORKDIR /data
EXPOSE 80
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=120s --retries=3 CMD ["refserver", "health"]
ENTRYPOINT ["refserver", "serve", "--host", "0.0.0.0"]

# Writes only below --out; mount a folder at /plumbline/runs.
FROM runtime AS loadgen
COPY --from=build /src/build/release/bin/loadgen /usr/local/bin/loadgen
COPY scenarios /plumbline/scenarios
WORKDIR /plumbline
STOPSIGNAL SIGINT
ENTRYPOINT ["loadgen"]
CMD ["--help"]
