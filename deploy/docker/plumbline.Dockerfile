# Both programs from one build. Targets: refserver, loadgen. Build from the project root:
#   docker build -f deploy/docker/plumbline.Dockerfile --target refserver -t plumbline-refserver .
FROM debian:12.11-slim AS build
WORKDIR /src
COPY . .
RUN ./dev build refserver loadgen && strip build/release/bin/refserver build/release/bin/loadgen

FROM debian:12.11-slim AS runtime
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libcurl4 libfmt9 libpcre2-8-0 libssl3 libyaml-cpp0.7 zlib1g \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /plumbline plumbline \
 && install -d -o plumbline /plumbline
WORKDIR /plumbline
USER plumbline

FROM runtime AS refserver
COPY --from=build /src/build/release/bin/refserver /usr/local/bin/refserver
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["refserver"]
CMD ["serve", "--help"]

FROM runtime AS loadgen
COPY --from=build /src/build/release/bin/loadgen /usr/local/bin/loadgen
COPY scenarios /plumbline/scenarios
STOPSIGNAL SIGINT
ENTRYPOINT ["loadgen"]
CMD ["--help"]
