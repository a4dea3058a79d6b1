# The image: volumeter and the libraries it is linked to, on nothing.
#
#   scripts/build-image.sh            what this revision is called, and when it was made, filled in
#   docker build -t volumeter:0.1.0 .
#
# Built for the machine's own architecture (amd64, arm64); the BPF programs in it fit any kernel
# with type information. BASE is a Debian 12.
ARG BASE=debian:12-slim

FROM ${BASE} AS dependencies
COPY scripts/install-deps.sh /src/scripts/
RUN /src/scripts/install-deps.sh image

FROM dependencies AS build
ARG REVISION=unknown
ARG SOURCE_DATE_EPOCH=0
COPY . /src
WORKDIR /src
RUN cmake --preset release -DVOLUMETER_TESTS=OFF -DVOLUMETER_REVISION=${REVISION} > /dev/null \
    && cmake --build --preset release \
    && scripts/image-root.sh build/release/volumeter /image

# docker build --target deb --output . .
FROM build AS package
ARG SOURCE_DATE_EPOCH=0
RUN cd build/release && SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} cpack -G DEB -B /packages > /dev/null
FROM scratch AS deb
COPY --from=package /packages/*.deb /

FROM scratch AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
COPY --from=build /image /
ENV PATH=/usr/bin
LABEL org.opencontainers.image.title="volumeter" \
      org.opencontainers.image.description="How full, how fast and how healthy each volume of a Kubernetes node is" \
      org.opencontainers.image.documentation="https://volumeter.io/docs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
EXPOSE 10098
# Root, with the capabilities that the manifest leaves it: SECURITY.md.
USER 0:0
ENTRYPOINT ["/usr/bin/volumeter"]
CMD ["agent"]
