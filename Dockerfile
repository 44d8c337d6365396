# camring in a container; compose.yaml says how to run it. Any builder will do.
FROM debian:bookworm-slim AS build
WORKDIR /camring
COPY scripts/deps.sh scripts/
RUN scripts/deps.sh build
COPY . .
RUN make -j"$(nproc)" all \
    && make install PREFIX=/usr DESTDIR=/installed \
    && strip --strip-unneeded /installed/usr/bin/* /installed/usr/lib/libcamring.so.*

# What it runs with: no compiler, headers or manuals. Most of it are FFmpeg's libraries and those
# that they are linked with (ICU 36 MB, voices 27, codec2 17, x265 16, avcodec 15, avfilter 12);
# drivers for video hardware, lists of file types and X11's locales are not needed.
FROM debian:bookworm-slim AS camring
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates fonts-dejavu-core libavcodec59 libavfilter8 libavformat59 libavutil57 \
        libcrypt1 libevent-2.1-7 libevent-openssl-2.1-7 libgnutls30 libjansson4 libjpeg62-turbo \
        libpng16-16 libssl3 libswscale6 libyaml-0-2 \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc /usr/share/man \
        /usr/share/info /usr/share/locale /usr/share/lintian /usr/share/mime /usr/share/X11 \
        /usr/lib/*/mfx /usr/lib/*/libmfxhw64.* /usr/lib/*/libmfx-tracer.* \
    && useradd --system --uid 900 --user-group --no-create-home --home-dir / camring
COPY --from=build /installed/usr/bin /usr/bin
COPY --from=build /installed/usr/lib/libcamring.so.1 /usr/lib/
COPY --from=build /installed/usr/lib/python3/dist-packages/camring.py \
    /usr/lib/python3/dist-packages/
COPY scripts/container-health.sh /usr/libexec/camring-health
COPY camring.yaml /etc/camring/
USER camring
HEALTHCHECK --interval=5s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/usr/libexec/camring-health"]
ENTRYPOINT ["camring"]
CMD ["run", "-c", "/etc/camring/camring.yaml"]
