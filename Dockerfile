# The switch as an image.
#
#     docker build -t tapswitch .
#     docker run --rm -d --name tapswitch --privileged --network host --device /dev/net/tun tapswitch
#     docker exec tapswitch tapswitch vsctl show
#
# It needs CAP_NET_ADMIN, CAP_NET_RAW and /dev/net/tun; --privileged gives all of it, and lets the
# switch keep the host's stack off its ports (a BPF program). With less:
#     --cap-add NET_ADMIN --cap-add NET_RAW --cap-add IPC_LOCK --cap-add BPF --device /dev/net/tun
# --network host lets it take interfaces of the host; without it, it sees those of its container.
# Keep the configuration with a volume: -v tapswitch:/etc/openvswitch

ARG BASE=node:20-bookworm-slim

FROM ${BASE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential python3
WORKDIR /opt/tapswitch
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . ./
RUN npm run build
RUN npm prune --omit=dev --no-audit --no-fund && rm -rf native-bindings/build/Release/obj.target

FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends iproute2 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/tapswitch
COPY --from=build /opt/tapswitch/package.json ./
COPY --from=build /opt/tapswitch/bin ./bin
COPY --from=build /opt/tapswitch/dist ./dist
COPY --from=build /opt/tapswitch/node_modules ./node_modules
COPY --from=build /opt/tapswitch/native-bindings/build/Release ./native-bindings/build/Release
RUN ln -s /opt/tapswitch/bin/tapswitch /usr/local/bin/tapswitch
RUN mkdir -p /etc/openvswitch /var/run/openvswitch /var/log/openvswitch
VOLUME /etc/openvswitch
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["tapswitch", "appctl", "version"]
ENTRYPOINT ["tapswitch", "start"]
