# Pings and iperf3 for the demo, with the figures taken out of their output.
# Not for: deciding what is right (demo.sh).

# start_ping COUNT: pings test2 from test1 a hundred times a second in the background.
start_ping() {
  PING_FILE=$RUN/ping.out
  in_test1 ping -n -i 0.01 -c "$1" -W 1 10.10.10.2 >"$PING_FILE" 2>&1 &
  PING_PID=$!
}

# finish_ping: waits for it, shows its last lines, sets PING_SENT and PING_LOST.
finish_ping() {
  wait "$PING_PID" || true
  local line
  line=$(grep 'packets transmitted' "$PING_FILE" || true)
  PING_SENT=$(sed -n 's/^\([0-9]*\) packets transmitted.*/\1/p' <<<"$line")
  PING_LOST=$((PING_SENT - $(sed -n 's/.* \([0-9]*\) received.*/\1/p' <<<"$line")))
  print_output "$(tail -n 3 "$PING_FILE" | sed '/^$/d')"
}

# start_iperf_server: in test2; ends with the demo.
start_iperf_server() {
  in_test2 iperf3 -s >"$RUN/iperf3.out" 2>&1 &
  IPERF_PID=$!
  wait_until 5 in_test2 sh -c "ss -ltn | grep -q ':5201 '"
}

stop_iperf_server() {
  [ -n "${IPERF_PID:-}" ] || return 0
  kill "$IPERF_PID" 2>/dev/null || true
  wait "$IPERF_PID" 2>/dev/null || true
  IPERF_PID=''
}

# gbits: receiver's rate in OUT, as iperf3 prints it with -f g; 0 when there is none.
gbits() {
  local rate
  rate=$(sed -n 's/.* \([0-9.]*\) Gbits\/sec .*receiver.*/\1/p' <<<"$OUT" | tail -n 1)
  printf '%s' "${rate:-0}"
}

more_than() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b) }'; }
